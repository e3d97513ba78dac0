import Logging
import ServiceLifecycle
import UnixSignals

/// Runs parts of the service until one ends or the process is told to: TERM and INT let requests in flight finish, until
/// ``graceLimit``, after which what still runs is cancelled.
struct ServiceRunner {
    let logger: Logger

    static let graceLimit = Duration.seconds(7)
    static let cancellationLimit = Duration.seconds(1)

    func run(_ services: [any Service]) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: self.logger)
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
