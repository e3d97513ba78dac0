/// Lets one task through at a time, in order.
actor Turnstile {
    private var last: Task<Void, Never>?

    @discardableResult func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let previous = self.last
        let task = Task {
            await previous?.value
            return try await body()
        }
        self.last = Task { _ = await task.result }
        return try await task.value
    }
}
