/// A call that is under way in a task of its own, and whose end is waited for with a bound: a call that hangs is a failed test then,
/// and not one that never ends.
///
/// ```swift
/// let receiving = PendingCall("receive") { try await broker.receive(request) }
/// try await broker.publish(message, to: "mails", notBefore: nil)
/// let deliveries = try await receiving.value()
/// ```
public final class PendingCall<Value: Sendable>: Sendable {
    /// In failures.
    public let name: String
    private let outcome: Monitor<Result<Value, any Error>?>
    private let task: Task<Void, Never>

    /// Starts the call.
    public init(_ name: String = "the call", _ call: @escaping @Sendable () async throws -> Value) {
        let outcome = Monitor<Result<Value, any Error>?>(nil)
        self.name = name
        self.outcome = outcome
        self.task = Task {
            let result: Result<Value, any Error>
            do {
                result = .success(try await call())
            } catch {
                result = .failure(error)
            }
            outcome.update { $0 = result }
        }
    }

    /// Cancels the task in which the call runs.
    public func cancel() {
        self.task.cancel()
    }

    /// Waits for the call's end.
    ///
    /// - Returns: what the call returned.
    /// - Throws: what the call threw; ``TestFailure`` when `limit` of the machine's own time passes first, after which the call is cancelled;
    ///   `CancellationError` when the waiting task is cancelled.
    public func value(within limit: Duration = .seconds(30), file: String = #fileID, line: Int = #line) async throws -> Value {
        guard try await self.outcome.wait(within: limit, until: { $0 != nil }) == .ready, let result = self.outcome.withValue({ $0 }) else {
            self.cancel()
            throw TestFailure("\(self.name) has not ended within \(limit)", file: file, line: line)
        }
        return try result.get()
    }
}
