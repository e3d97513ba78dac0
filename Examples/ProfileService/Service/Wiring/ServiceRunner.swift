import Logging
import ServiceLifecycle
import UnixSignals

/// Runs parts of the service until one ends or the process is told to: TERM and INT let requests in flight finish, until
/// ``graceLimit``, after which what still runs is cancelled.
struct ServiceRunner {
    let logger: Logger

    static let graceLimit = Duration.seconds(7)
    static let cancellationLimit = Duration.seconds(1)

    /// - Parameter prepare: makes the parts, in the order in which they start. Signals are heard from before it begins; one that comes early
    ///   takes effect when it is done.
    func run(_ prepare: @escaping @Sendable () async throws -> [any Service]) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let told = Announcement<Void>()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for await _ in signals { told.make(()) }
            }
            try await self.run(try await prepare(), until: told)
            tasks.cancelAll()
        }
    }

    private func run(_ services: [any Service], until told: Announcement<Void>) async throws {
        let parts = services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
        let ending = ServiceGroupConfiguration.ServiceConfiguration(
            service: UntilTold(told: told), successTerminationBehavior: .gracefullyShutdownGroup)
        var configuration = ServiceGroupConfiguration(services: parts + [ending], logger: self.logger)
        configuration.maximumGracefulShutdownDuration = Self.graceLimit
        configuration.maximumCancellationDuration = Self.cancellationLimit
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is CancellationError where !Task.isCancelled {
            // The group cancels only what has not ended by the limit, and that is as good an end as there can be.
            self.logger.warning("what had not ended after \(Self.graceLimit) was given up")
        }
    }
}

/// Ends, and with it its group, when the process is told to.
private struct UntilTold: Service {
    let told: Announcement<Void>

    func run() async throws {
        try? await cancelWhenGracefulShutdown { try await self.told.value() }
    }
}
