import Logging
import Metrics
import NIOPosix
import ScaleCore
public import ServiceLifecycle

/// A client of one Redis server, usable at once and from anywhere.
///
/// ```swift
/// let redis = try RedisClient("redis://127.0.0.1:6379/1")
/// try await redis.set("greeting", "hello", expiresIn: .seconds(60))
/// let bytes = try await redis.get("greeting")
/// ```
///
/// It connects when it is first used, pipelines all callers' commands over one connection, and connects again when that is lost, with
/// jittered back-off and as long as somebody wants it. A command that was written when the connection was lost fails with an unknown
/// ``RedisError/outcome``; one that was not is sent on the next connection. Nothing is ever sent twice.
///
/// Blocking commands, `WATCH` and `SELECT` do not go over the shared connection; ``withConnection(_:)`` gives one of one's own.
///
/// As a `Service`, ``run()`` waits for the graceful shutdown and then lets commands in flight finish. It is not needed for anything else.
public final class RedisClient: RedisCommandSender, Service {
    let url: RedisURL
    let configuration: RedisConfiguration
    let connector: ChannelConnector
    let route: any CommandRoute
    let dependents = Dependents()

    /// A client of the server at `url`: `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS. Does no I/O apart from
    /// reading the files that `configuration.tls` names.
    ///
    /// - Throws: ``RedisError`` with ``RedisError/Code/invalidConfiguration``.
    public init(_ url: String, configuration: RedisConfiguration = .init()) throws(RedisError) {
        try configuration.validate()
        self.url = try RedisURL(url)
        try self.url.validate(with: configuration)
        self.configuration = configuration
        self.connector = try ChannelConnector(url: self.url, configuration: configuration)
        let connection = Self.makeConnection(self.url, configuration, self.connector, reconnects: true)
        self.route = SingleServerRoute(connection: connection)
    }

    deinit {
        self.dependents.shutDown()
        self.route.close()
    }

    /// `host:port` of the server.
    public var address: String { self.url.address }

    @discardableResult
    public func send(_ command: RedisCommand) async throws -> RedisValue {
        try CommandRules.check(command, isExclusive: false)
        do {
            return try await self.execute(command, key: command.arguments.first).orThrow(command.name, self.address)
        } catch let error as RedisError {
            throw error.naming(command)
        }
    }

    /// The value of `key`, nil when it is absent. O(1).
    ///
    /// The same as on any ``RedisCommandSender``, without argument list and look-up of rules on its way: what a cache lives on.
    public func get(_ key: String) async throws -> [UInt8]? {
        try CommandRules.check(argumentOfBytes: key.utf8.count, command: "GET")
        do {
            switch try await self.execute(KeyCommand.get(key), key: nil) {
            case .bulk(let bytes): return bytes
            case .null: return nil
            case .error(let error): throw RedisError(error, command: "GET", address: self.address)
            case let reply: throw RedisError.unexpected(reply, command: "GET", wanted: "bulk string")
            }
        } catch var error as RedisError {
            error.command = "GET"
            throw error
        }
    }

    public func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RedisValue, RedisError>] {
        guard let first = commands.first else { return [] }
        try CommandRules.check(commands, isExclusive: false)
        let replies = try await self.execute(CommandBatch(commands: commands), key: first.arguments.first)
        return try replies.asBatch(of: commands.count).results(for: commands, self.address)
    }

    /// Sends a command that was checked. An error reply is returned as a value.
    @inline(__always)
    func execute(_ command: some WireCommand, key: RedisArgument?) async throws -> RedisValue {
        try await self.route.connection(forKey: key).send(command)
    }

    /// Takes no more commands, lets those in flight finish within `commandTimeout`, and closes the connection. Subscriptions end and
    /// connections of one's own are closed at once. Idempotent.
    public func shutdown() async {
        self.dependents.shutDown()
        await self.route.shutDown(within: self.configuration.commandTimeout)
    }

    /// Waits for the graceful shutdown of the service group (or the task's cancellation), then shuts down.
    public func run() async throws {
        try? await gracefulShutdown()
        await self.shutdown()
    }

    static func makeConnection(
        _ url: RedisURL, _ configuration: RedisConfiguration, _ connector: ChannelConnector, reconnects: Bool
    ) -> PipelinedConnection {
        let settings = ConnectionSettings(configuration, url: url, reconnects: reconnects)
        return PipelinedConnection(
            link: Self.makeLink(configuration, connector, settings),
            settings: settings,
            time: configuration.time,
            logger: configuration.logger,
            metrics: ConnectionMetrics(
                address: connector.address, factory: configuration.metricsFactory ?? MetricsSystem.factory)
        )
    }

    func makeSubscriptionConnection(
        _ channels: [String], _ patterns: [String], _ buffer: RedisSubscriptionBuffer
    ) -> SubscriptionConnection {
        let settings = ConnectionSettings(self.configuration, url: self.url, reconnects: true)
        return SubscriptionConnection(
            link: Self.makeLink(self.configuration, self.connector, settings),
            settings: settings,
            time: self.configuration.time,
            logger: self.configuration.logger,
            channels: channels,
            patterns: patterns,
            buffer: buffer
        )
    }

    private static func makeLink(
        _ configuration: RedisConfiguration, _ connector: ChannelConnector, _ settings: ConnectionSettings
    ) -> ChannelLink {
        ChannelLink(
            connector: connector, limits: configuration.replyLimits, tickInterval: settings.tickInterval,
            eventLoop: MultiThreadedEventLoopGroup.singleton.any())
    }
}
