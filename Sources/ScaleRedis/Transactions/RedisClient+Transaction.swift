extension RedisClient {
    /// Runs commands as one transaction: `MULTI`, the commands, `EXEC`, written as one block.
    ///
    /// No command of anybody else comes in between on the server. When the server refuses one before running any (an unknown command, a
    /// wrong number of arguments), none is run and that error is thrown. When one fails while it runs, the others are run all
    /// the same: Redis does not roll back; see the results. To act on values read before, see ``withConnection(_:)`` and
    /// ``RedisConnection/watch(_:)``.
    ///
    /// - Throws: ``RedisError``, or `CancellationError`; after the latter, and after an error whose ``RedisError/outcome`` is unknown, the
    ///   transaction may have been executed, in whole or not at all. There is one exception: a server that refuses `MULTI` itself, as to an
    ///   ACL user who may not use it, takes the commands singly. Then that refusal is thrown, and unless every command was refused, too,
    ///   its outcome is unknown and some commands may have been executed without the others.
    public func transaction(_ commands: [RedisCommand]) async throws -> [Result<RedisValue, RedisError>] {
        guard let first = commands.first else { return [] }
        try CommandRules.check(commands, isExclusive: false)
        let replies = try await self.execute(Transaction.batch(commands), key: first.arguments.first)
        guard let results = try Transaction.results(of: replies, commands: commands, address: self.address) else {
            throw RedisError(
                code: .unexpectedReply, message: "a transaction without WATCH was aborted", address: self.address, command: "EXEC")
        }
        return results
    }
}

/// A transaction's commands and what their replies mean.
enum Transaction {
    static func batch(_ commands: [RedisCommand]) -> CommandBatch {
        CommandBatch(commands: [RedisCommand("MULTI")] + commands + [RedisCommand("EXEC")])
    }

    /// The results of the commands; nil when a watched key had changed.
    static func results(
        of replies: RedisValue, commands: [RedisCommand], address: String
    ) throws(RedisError) -> [Result<RedisValue, RedisError>]? {
        guard case .array(let replies) = replies, let outcome = replies.last else {
            throw RedisError.unexpected(replies, command: "EXEC", wanted: "array")
        }
        // The first refusal says why; EXEC itself only says that there was one.
        let names = ["MULTI"] + commands.map(\.name)
        for (index, (reply, name)) in zip(replies.dropLast(), names).enumerated() {
            guard case .error(let error) = reply else { continue }
            var refusal = RedisError(error, command: name, address: address)
            // Without MULTI every command stands for itself, and after it EXEC alone decides.
            let deciding = index == 0 ? Array(zip(replies.dropFirst(), names.dropFirst() + ["EXEC"])) : [(outcome, "EXEC")]
            refusal.outcome = deciding.contains { Self.mayHaveRun($0, $1) } ? .unknown : .notExecuted
            throw refusal
        }
        let executed = try outcome.orThrow("EXEC", address)
        if executed.isNull { return nil }
        return try executed.results(for: commands, address)
    }

    /// Whether the command that was answered so may have taken effect.
    private static func mayHaveRun(_ reply: RedisValue, _ name: String) -> Bool {
        guard case .error(let error) = reply else { return true }
        return RedisError(error, command: name, address: "").outcome == .unknown
    }
}
