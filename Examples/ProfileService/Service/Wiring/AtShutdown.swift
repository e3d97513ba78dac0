import ServiceLifecycle

/// Does something when its group shuts down: after all that was started later has ended.
struct AtShutdown: Service {
    let action: @Sendable () async -> Void

    init(_ action: @escaping @Sendable () async -> Void) {
        self.action = action
    }

    func run() async throws {
        try? await gracefulShutdown()
        await self.action()
    }
}
