import Logging
import ServiceLifecycle

/// A service that can be stopped alone, gracefully, while the others of its group go on.
struct StoppableService: Service {
    private let group: ServiceGroup
    private let ended = Announcement<Void>()

    init(_ service: any Service, logger: Logger) {
        self.group = ServiceGroup(services: [service], logger: logger)
    }

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await self.group.run()
            self.ended.make(())
            // A service that returns ends its whole group; this one may end early.
            try await gracefulShutdown()
        } onGracefulShutdown: {
            Task { await self.group.triggerGracefulShutdown() }
        }
    }

    /// Returns when the service has finished what was in flight, or throws when the caller is cancelled before.
    func stop() async throws {
        await self.group.triggerGracefulShutdown()
        try await self.ended.value()
    }
}
