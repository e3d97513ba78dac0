import HTTPTypes
import Logging
import ScaleCore
import ServiceLifecycle

/// Tells the cache of changes, and remembers those that it could not be told yet.
///
/// A change and its ``CacheNotice`` are committed together; ``deliver(_:)`` invalidates and then removes the notice. What could
/// not be confirmed in time stays noted, and ``run()`` delivers it later, also after a restart, also on another instance. Who removes a
/// notice then tells those who listen to changes: whatever they read, they see the change.
final class CacheNotifier: Service {
    private let database: ProfileDatabase
    private let list: ProfileListCache
    private let time: TimeSource
    private let logger: Logger
    private let announce: @Sendable (LiveChange) -> Void
    private let retries: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// - Parameter announce: told of each change that the cache has confirmed; must not wait.
    init(
        database: ProfileDatabase, list: ProfileListCache, time: TimeSource = .system, logger: Logger,
        announce: @escaping @Sendable (LiveChange) -> Void
    ) {
        self.database = database
        self.list = list
        self.time = time
        self.logger = logger
        self.announce = announce
        (self.retries, self.wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Invalidates the list for a change that is committed.
    ///
    /// - Throws: `HTTPFailure` 503 when the cache does not confirm in time. The change stands, and the notice with it.
    func deliver(_ notice: CacheNotice) async throws {
        do {
            try await self.list.invalidate()
        } catch {
            self.logger.warning("the cache could not be told of a change yet: \(error)")
            self.wakeUp.yield()
            throw HTTPFailure(.serviceUnavailable, "stored, but caches could not be told yet")
        }
        do {
            try await self.confirm(through: notice)
        } catch {
            // The cache is told; that the note stays costs one more invalidation.
            self.logger.warning("a delivered notice could not be removed: \(error)")
            self.wakeUp.yield()
        }
    }

    /// Delivers what was left undelivered, until the service is shut down.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await self.deliverAllPending()
            for await _ in self.retries {
                await self.deliverAllPending()
            }
        }
    }

    private func confirm(through notice: CacheNotice) async throws {
        for change in try await self.database.confirm(through: notice) { self.announce(change) }
    }

    private func deliverAllPending() async {
        let policy = RetryPolicy(baseDelay: .milliseconds(200), maximumDelay: .seconds(5), maximumAttempts: nil)
        // Without end of attempts, only cancellation ends it early.
        try? await policy.run(time: self.time) { _ in
            guard let notice = try await self.database.newestPendingNotice() else { return }
            try await self.list.invalidate()
            try await self.confirm(through: notice)
            self.logger.notice("the cache was told of changes that had waited")
        }
    }
}
