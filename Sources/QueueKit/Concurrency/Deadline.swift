package import ScaleCore

/// Runs `work` until `deadline`: its value, or `nil` when the deadline came first and `work` has reacted to being cancelled.
package func before<Value: Sendable>(
    _ deadline: Instant, on time: TimeSource, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value? {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await time.sleep(until: deadline)
            return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
    }
}
