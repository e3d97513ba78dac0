/// A connection of one's own, for what cannot share: `WATCH` and blocking commands.
///
/// ```swift
/// let isDone = try await redis.withConnection { connection in
///     try await connection.watch(["balance"])
///     let balance = try await connection.get("balance").flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
///     return try await connection.transaction([RedisCommand("SET", ["balance", .init(balance - 5)])]) != nil
/// }
/// ```
///
/// A blocking command that is sent by name must come back within `commandTimeout`; ``blockingPop(_:from:timeout:)`` and
/// ``blmove(from:_:to:_:timeout:)`` may take their time.
///
/// When it is lost, it stays lost: what was watched is watched no more, and every further call throws. It must not be used after the
/// closure that it was given to has returned.
public final class RedisConnection: RedisCommandSender {
    private let connection: PipelinedConnection

    init(_ connection: PipelinedConnection) {
        self.connection = connection
    }

    @discardableResult
    public func send(_ command: RedisCommand) async throws -> RedisValue {
        try await self.send(command, patience: .zero)
    }

    public func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RedisValue, RedisError>] {
        guard !commands.isEmpty else { return [] }
        try CommandRules.check(commands, isExclusive: true)
        let replies = try await self.connection.send(CommandBatch(commands: commands))
        return try replies.asBatch(of: commands.count).results(for: commands, self.connection.address)
    }

    /// Sends a command that may take `patience` longer than `commandTimeout`, since it blocks on the server. `nil` is without end.
    func send(_ command: RedisCommand, patience: Duration?) async throws -> RedisValue {
        try CommandRules.check(command, isExclusive: true)
        do {
            let reply = try await self.connection.send(command, patience: patience ?? ConnectionSettings.endless)
            return try reply.orThrow(command.name, self.connection.address)
        } catch let error as RedisError {
            throw error.naming(command)
        }
    }

    /// Aborts the next transaction on this connection when one of these keys is changed before its `EXEC`, by anybody.
    public func watch(_ keys: [String]) async throws {
        guard !keys.isEmpty else { return }
        try await self.callStatus("WATCH", keys.map { RedisArgument($0) })
    }

    /// Forgets all watched keys.
    public func unwatch() async throws {
        try await self.callStatus("UNWATCH", [])
    }

    /// Runs commands as one transaction; returns nil, and has run nothing, when a watched key was changed meanwhile.
    ///
    /// Nothing is watched afterwards, whatever the outcome. For errors see ``RedisClient/transaction(_:)``.
    public func transaction(_ commands: [RedisCommand]) async throws -> [Result<RedisValue, RedisError>]? {
        guard !commands.isEmpty else {
            try await self.unwatch()
            return []
        }
        try CommandRules.check(commands, isExclusive: false)
        let replies = try await self.connection.send(Transaction.batch(commands))
        return try Transaction.results(of: replies, commands: commands, address: self.connection.address)
    }
}

extension RedisClient {
    /// Opens a connection of one's own, runs `body` with it and closes it.
    ///
    /// - Throws: what `body` throws; ``RedisError`` when there is no connection within `connectTimeout`.
    public func withConnection<Output>(
        _ body: (RedisConnection) async throws -> Output
    ) async throws -> Output {
        let connection = Self.makeConnection(self.url, self.configuration, self.connector, reconnects: false)
        let id = try self.dependents.add { connection.close() }
        defer {
            connection.close()
            self.dependents.remove(id)
        }
        return try await body(RedisConnection(connection))
    }
}
