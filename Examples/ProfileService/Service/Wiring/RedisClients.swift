import Logging
import ScaleCore
import ScaleRedis
import ServiceLifecycle

/// One client per Redis URL, however many roles it has; and what to say of servers that are down at the start.
struct RedisClients {
    let logger: Logger
    private let patience: Patience
    private var byURL: [String: RedisClient] = [:]
    private var uses: [String: Set<RedisFacts.Use>] = [:]
    private var unreached: [Logger.Message] = []

    init(patience: Patience = Patience(), logger: Logger) {
        self.patience = patience
        self.logger = logger
    }

    var all: [any Service] { Array(self.byURL.values) }

    /// The client for a choice; nil for memory.
    ///
    /// - Throws: `StartError` that names the flag for a URL that cannot be used, and for credentials or a database that the server refuses. A
    ///   server that is down is none; see ``warnOfUnreached()``.
    mutating func client(for choice: StoreChoice, flag: String) async throws -> RedisClient? {
        guard case .redis(let url) = choice else { return nil }
        if let use = RedisFacts.Use(rawValue: flag) { self.uses[url, default: []].insert(use) }
        if let client = self.byURL[url] { return client }
        let client = try self.make(url, flag: flag)
        self.byURL[url] = client
        do {
            try await client.ping()
        } catch {
            if let refusal = Self.refusal(error, of: client, flag: flag) { throw refusal }
            self.willWait("\(flag): Redis at \(client.address) cannot be reached yet; waiting for it: \(error)")
        }
        return client
    }

    /// Ends all clients, for those who run them as no services.
    func shutdown() async {
        for client in self.byURL.values { await client.shutdown() }
    }

    /// Notes a server that is down, and is waited for.
    mutating func willWait(_ warning: Logger.Message) {
        self.unreached.append(warning)
    }

    /// Warns of the servers that are down, once nothing else can refuse the start: that would be its only line.
    func warnOfUnreached() {
        for warning in self.unreached { self.logger.warning(warning) }
    }

    /// Warns of what the servers, and the lives that backends are to keep, let expect. No answer is no advice, and never a failure.
    func warnOfAdvice(on lives: [Life]) async {
        // One server may have several databases, and so several URLs.
        var servers: [String: (client: RedisClient, uses: Set<RedisFacts.Use>)] = [:]
        for (url, client) in self.byURL {
            servers[client.address, default: (client, [])].uses.formUnion(self.uses[url] ?? [])
        }
        let facts = await withTaskGroup(of: RedisFacts?.self) { tasks in
            for server in servers.values { tasks.addTask { await RedisFacts.ask(server.client, uses: server.uses) } }
            return await tasks.reduce(into: []) { $0.append($1) }.compactMap(\.self).sorted { $0.address < $1.address }
        }
        let now = TimeSource.system.utcNow()
        for advice in facts.flatMap(Advice.on) + lives.flatMap({ Advice.on($0, at: now) }) {
            self.logger.warning("\(advice)")
        }
    }

    /// Asks a server once, for those that have no use for one that is down.
    ///
    /// - Throws: `StartError` that names the flag.
    func probe(_ url: String, flag: String) async throws {
        let client = try self.make(url, flag: flag)
        do {
            try await client.ping()
        } catch {
            throw Self.refusal(error, of: client, flag: flag)
                ?? StartError("\(flag): Redis at \(client.address) cannot be reached; start it, or name another")
        }
        await client.shutdown()
    }

    private func make(_ url: String, flag: String) throws -> RedisClient {
        var configuration = RedisConfiguration()
        configuration.clientName = "profile-service"
        // A page must not wait long for a cache that is down: it can come from the database.
        configuration.connectTimeout = self.patience.connection
        configuration.commandTimeout = self.patience.answer
        configuration.logger = self.logger
        do {
            return try RedisClient(url, configuration: configuration)
        } catch {
            throw StartError("\(flag): \(error.message); write redis://HOST:PORT/DATABASE")
        }
    }

    /// What waiting would not mend.
    private static func refusal(_ error: any Error, of client: RedisClient, flag: String) -> StartError? {
        guard let error = error as? RedisError else { return nil }
        if error.code == .authenticationFailed {
            return StartError("\(flag): Redis at \(client.address) refuses the credentials; check user and password in the URL")
        }
        if error.serverError?.kind == "ERR" {
            return StartError("\(flag): Redis at \(client.address) refuses the database; check the number at the end of the URL")
        }
        return nil
    }
}
