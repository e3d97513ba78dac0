import Logging
import ScaleCore
import ServiceLifecycle
import UnixSignals

/// Runs parts of the service until one ends or the process is told to: TERM and INT let requests in flight finish, until
/// ``graceLimit``, after which what still runs is cancelled; what has not ended ``cancellationLimit`` later is left behind, so that the process
/// can end whatever a part does.
struct ServiceRunner {
    let logger: Logger
    var time = TimeSource.system

    static let graceLimit = Duration.seconds(7)
    static let cancellationLimit = Duration.seconds(1)

    /// - Parameter prepare: makes the parts, in the order in which they start. Signals are heard from before it begins; one that comes early
    ///   takes effect when it is done, or when the limits are over.
    func run(_ prepare: @escaping @Sendable () async throws -> [any Service]) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let told = Announcement<Void>()
        let hearing = Task {
            for await _ in signals { told.make(()) }
        }
        defer { hearing.cancel() }
        try await self.run(until: told, prepare)
    }

    /// As above, with another way to be told.
    func run(until told: Announcement<Void>, _ prepare: @escaping @Sendable () async throws -> [any Service]) async throws {
        let outcome = Announcement<Result<Void, any Error>>()
        let failure = Announcement<any Error>()
        // Tasks of their own: one within a group could not be left behind.
        let tasks = [
            Task {
                do {
                    try await self.run(try await prepare().map { Part(service: $0, told: told, failure: failure) }, until: told)
                    outcome.make(.success(()))
                } catch {
                    outcome.make(.failure(error))
                }
            },
            Task {
                guard (try? await told.value()) != nil else { return }
                await self.leaveBehind(after: Self.graceLimit + Self.cancellationLimit, saying: .success(()), outcome)
            },
            Task {
                guard let error = try? await failure.value() else { return }
                await self.leaveBehind(after: Self.cancellationLimit, saying: .failure(error), outcome)
            },
        ]
        defer { for task in tasks { task.cancel() } }
        try await outcome.value().get()
    }

    private func leaveBehind(
        after limit: Duration, saying result: Result<Void, any Error>, _ outcome: Announcement<Result<Void, any Error>>
    ) async {
        guard (try? await self.time.sleep(for: limit)) != nil, outcome.known == nil else { return }
        self.logger.warning("what had not ended after \(limit) is left behind")
        outcome.make(result)
    }

    private func run(_ services: [any Service], until told: Announcement<Void>) async throws {
        let parts = services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
        let ending = ServiceGroupConfiguration.ServiceConfiguration(
            service: UntilTold(told: told), successTerminationBehavior: .gracefullyShutdownGroup)
        // No maximum of the group's for cancellation: the group would trap.
        var configuration = ServiceGroupConfiguration(services: parts + [ending], logger: self.logger)
        configuration.maximumGracefulShutdownDuration = Self.graceLimit
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is CancellationError where !Task.isCancelled {
            // The group cancels only what has not ended by the limit, and that is as good an end as there can be.
            self.logger.warning("what had not ended after \(Self.graceLimit) was given up")
        }
    }
}

/// One service of the group, which tells when it ends though nobody told it to: the group then cancels the others and waits for them.
private struct Part: Service, CustomStringConvertible {
    let service: any Service
    let told: Announcement<Void>
    let failure: Announcement<any Error>

    var description: String { "\(self.service)" }

    func run() async throws {
        do {
            try await self.service.run()
        } catch let error where !(error is CancellationError) {
            self.failure.make(error)
            throw error
        }
        if self.told.known == nil { self.failure.make(ServiceGroupError.serviceFinishedUnexpectedly(service: self.description)) }
    }
}

/// Ends, and with it its group, when the process is told to.
private struct UntilTold: Service {
    let told: Announcement<Void>

    func run() async throws {
        try? await cancelWhenGracefulShutdown { try await self.told.value() }
    }
}
