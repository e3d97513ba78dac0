/// What typed commands are built on: a ``RedisClient`` or a ``RedisConnection``.
public protocol RedisCommandSender: Sendable {
    /// Sends a command and returns its reply.
    ///
    /// - Throws: ``RedisError`` (with code ``RedisError/Code/server`` for an error reply), or `CancellationError` as soon as the task is
    ///   cancelled; the command may then still be executed, and its reply is discarded.
    @discardableResult
    func send(_ command: RedisCommand) async throws -> RedisValue

    /// Sends several commands, written as one, and returns their replies in order. An error reply to one does not affect the others.
    ///
    /// Commands of other callers do not come in between, but the server may fail after executing only some: for all or none,
    /// see `transaction`.
    ///
    /// - Throws: ``RedisError`` when the replies did not come, or `CancellationError`.
    func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RedisValue, RedisError>]
}
