import ServiceLifecycle

/// Does something once everything before it in its group has been started and signals are heard, such as telling so.
struct WhenRunning: Service {
    let action: @Sendable () async throws -> Void

    init(_ action: @escaping @Sendable () async throws -> Void) {
        self.action = action
    }

    func run() async throws {
        try await self.action()
        try await gracefulShutdown()
    }
}
