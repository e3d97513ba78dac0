import UnixSignals

/// Lets what runs clean up after itself when the process is told to end.
enum Interruption {
    /// Runs `body`, and cancels it on TERM or INT.
    ///
    /// - Throws: what `body` throws; `SmokeFailure` when it was interrupted, as soon as it has ended.
    static func watch<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        return try await withThrowingTaskGroup(of: Result?.self) { tasks in
            tasks.addTask { try await body() }
            tasks.addTask {
                for await _ in signals { break }
                return nil
            }
            let first = try await tasks.next()
            tasks.cancelAll()
            guard case .some(.some(let result)) = first else { throw SmokeFailure(description: "interrupted before the scenario was over") }
            return result
        }
    }
}
