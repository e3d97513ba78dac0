import Logging
import ServiceLifecycle
import UnixSignals

/// Runs parts of the service until one ends or the process is told to: TERM and INT let requests in flight finish, for at most
/// eight seconds, after which what still runs is cancelled.
struct ServiceRunner {
    let logger: Logger

    func run(_ services: [any Service]) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: self.logger)
        configuration.maximumGracefulShutdownDuration = .seconds(8)
        configuration.maximumCancellationDuration = .seconds(1)
        try await ServiceGroup(configuration: configuration).run()
    }
}
