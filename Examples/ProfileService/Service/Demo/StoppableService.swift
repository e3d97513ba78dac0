import Logging
import ServiceLifecycle

/// A service that can be stopped alone, gracefully, while the others of its group go on. What has not ended by the runner's limit is
/// cancelled, as when a process of its own is told to end.
struct StoppableService: Service {
    private let group: ServiceGroup
    private let ended = Announcement<Void>()

    init(_ service: any Service, logger: Logger) {
        var configuration = ServiceGroupConfiguration(services: [service], logger: logger)
        configuration.maximumGracefulShutdownDuration = ServiceRunner.graceLimit
        self.group = ServiceGroup(configuration: configuration)
    }

    func run() async throws {
        try await withGracefulShutdownHandler {
            do {
                try await self.group.run()
            } catch is CancellationError where !Task.isCancelled {
                // The group's own, at the limit.
            }
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
