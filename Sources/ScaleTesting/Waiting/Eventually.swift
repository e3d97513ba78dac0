import ScaleCore

/// Waits until `condition` holds, for as long as `limit` at most. Use it where the code under test gives no event to await.
///
/// The limit is a bound and not a wait: it is generous, so that a busy machine does not fail a test, and a condition that holds
/// is noticed after a few turns of the scheduler, later within milliseconds.
///
/// - Parameters:
///   - limit: how long to wait, on the machine's own clock; a standstill of all tasks counts as a second.
///   - what: what is waited for, in the words of a sentence, for the failure's message.
/// - Throws: ``TestFailure`` when the limit passes; `CancellationError` when the task is cancelled; what `condition` throws.
public func eventually(
    within limit: Duration = .seconds(30), _ what: @autoclosure () -> String = "the condition holds", file: String = #fileID,
    line: Int = #line, _ condition: () async throws -> Bool
) async throws {
    _ = try await eventually(within: limit, what(), file: file, line: line) { () async throws -> Void? in
        try await condition() ? () : nil
    }
}

/// Waits until `value` is there, for as long as `limit` at most, and returns it.
///
/// - Throws: ``TestFailure`` when the limit passes; `CancellationError` when the task is cancelled; what `value` throws.
public func eventually<Value>(
    within limit: Duration = .seconds(30), _ what: @autoclosure () -> String = "there is a value", file: String = #fileID,
    line: Int = #line, _ value: () async throws -> Value?
) async throws -> Value {
    var patience = Patience(limit)
    var turn = 0
    while true {
        if let value = try await value() { return value }
        guard patience.left() > .zero else {
            throw TestFailure("not within \(limit): \(what())", file: file, line: line)
        }
        try Task.checkCancellation()
        // First the scheduler's turns, then the machine's time: what is awaited may depend on a socket or another process.
        if turn < 100 {
            await Task.yield()
        } else {
            try await TimeSource.system.sleep(for: .milliseconds(min(1 + (turn - 100) / 10, 20)))
        }
        turn += 1
    }
}
