/// Waits for a condition of another process, which has no way to call back.
enum Polling {
    /// - Throws: `SmokeFailure` that names `what` when it has not come true within the bound.
    static func until(_ what: String, within bound: Duration, _ condition: () async throws -> Bool) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: bound)
        while try await !condition() {
            guard clock.now < deadline else { throw SmokeFailure(description: "waited \(bound) in vain: \(what)") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
