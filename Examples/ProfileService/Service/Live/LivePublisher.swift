import Logging
import ScaleCore
import ServiceLifecycle

/// Tells all instances of changes, in the background: nobody's request waits for the bus, or for those who listen to it.
///
/// What cannot be published is tried again until it can. A process that is killed between a change's confirmation and its publication
/// takes it along; its listeners are gone as well, those of other instances do not hear of that change.
final class LivePublisher: Service {
    private static let limitAtTheEnd = Duration.seconds(1)

    private let bus: any LiveBus
    private let time: TimeSource
    private let logger: Logger
    private let changes = ChangeQueue()

    init(bus: any LiveBus, time: TimeSource = .system, logger: Logger) {
        self.bus = bus
        self.time = time
        self.logger = logger
    }

    /// To be called once every cache has been told of the change.
    func announce(_ change: LiveChange) {
        self.changes.add(change)
    }

    /// Publishes until the service is shut down, and then what is left, as far as the bus takes it within a second.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while let change = await self.changes.next() { await self.publish(change) }
        }
        await withTaskGroup { tasks in
            tasks.addTask { await self.publishWhatIsLeft() }
            tasks.addTask { try? await self.time.sleep(for: Self.limitAtTheEnd) }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private func publishWhatIsLeft() async {
        while let change = self.changes.take() {
            guard (try? await self.bus.publish(change)) != nil else { return }
        }
    }

    private func publish(_ change: LiveChange) async {
        let policy = RetryPolicy(baseDelay: .milliseconds(200), maximumDelay: .seconds(5), maximumAttempts: nil)
        do {
            try await policy.run(time: self.time) { attempt in
                do {
                    try await self.bus.publish(change)
                } catch {
                    if attempt == 1 { self.logger.warning("instances could not be told of a change yet: \(error)") }
                    throw error
                }
            }
        } catch {
            // Without end of attempts, only cancellation comes here.
            self.changes.putBack(change)
        }
    }
}
