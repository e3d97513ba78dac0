import Logging
import ServiceLifecycle

/// Services that run as long as a piece of work.
enum ServiceScope {
    static func with<Result: Sendable>(
        _ services: [any Service], logger: Logger, _ body: () async throws -> Result
    ) async throws -> Result {
        let group = ServiceGroup(services: services, logger: logger)
        async let running: Void = group.run()
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await running
        return try result.get()
    }
}
