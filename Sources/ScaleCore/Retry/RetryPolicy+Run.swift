extension RetryPolicy {
    /// Runs `operation` until it returns, and returns what it does.
    ///
    /// It is not tried again when `isRetryable` says no, when the task is cancelled, or when it throws `CancellationError`. A wait
    /// that would reach the deadline is not begun: the run ends at once. An attempt under way is not interrupted by the deadline.
    ///
    /// - Parameters:
    ///   - deadline: after which no attempt begins, beside the policy's own ``timeLimit``.
    ///   - isRetryable: whether an error may pass. An operation must be safe to repeat for those for which it says yes.
    ///   - operation: gets the number of the attempt, from 1.
    /// - Throws: what the last attempt threw; `CancellationError` when the task is cancelled during a wait.
    public func run<Value>(
        time: TimeSource = .system, random: RandomSource = .system, deadline: Instant = .distantFuture,
        isRetryable: (any Error) -> Bool = { _ in true }, _ operation: (_ attempt: Int) async throws -> Value
    ) async throws -> Value {
        var state = RetryState(self, startingAt: time.now(), deadline: deadline)
        var random = random
        while true {
            do {
                return try await operation(state.failures + 1)
            } catch {
                guard !(error is CancellationError), !Task.isCancelled, isRetryable(error) else { throw error }
                switch state.failed(at: time.now(), using: &random) {
                case .retry(let next): try await time.sleep(until: next)
                case .giveUp: throw error
                }
            }
        }
    }
}
