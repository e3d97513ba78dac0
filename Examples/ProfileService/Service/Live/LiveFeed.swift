import Logging
import ScaleCore
import ServiceLifecycle

/// One instance's feed: it hears of changes on all instances, and tells its listeners what they are.
final class LiveFeed: Service {
    /// Well below the minute after which proxies give up on a silent upstream.
    static let heartbeat = Duration.seconds(15)
    private static let pauseBetweenSubscriptions = Duration.seconds(1)

    let audience: LiveAudience
    /// Made known when the feed hears of changes for the first time.
    let hearing = Announcement<Void>()
    private let bus: any LiveBus
    private let database: ProfileDatabase
    private let time: TimeSource
    private let logger: Logger

    init(
        bus: any LiveBus, database: ProfileDatabase, limits: LiveAudience.Limits = .init(), time: TimeSource = .system, logger: Logger
    ) {
        self.bus = bus
        self.database = database
        self.audience = LiveAudience(limits: limits)
        self.time = time
        self.logger = logger
    }

    /// Feeds until the service is shut down. Then all streams end, for which a server would wait: it is to be shut down after the feed.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { tasks in
                tasks.addTask { await self.listen() }
                tasks.addTask {
                    while (try? await self.time.sleep(for: Self.heartbeat)) != nil { self.audience.beat() }
                }
            }
        }
        self.end()
    }

    /// Ends all streams, and takes no listener any more.
    func end() {
        self.audience.close()
    }

    private func listen() async {
        var isNews = true
        repeat {
            do {
                try await self.bus.listen { change in
                    isNews = true
                    await self.hear(change)
                }
            } catch {
                if isNews, !Task.isCancelled { self.logger.warning("changes cannot be heard of; trying on: \(error)") }
                isNews = false
            }
        } while (try? await self.time.sleep(for: Self.pauseBetweenSubscriptions)) != nil
    }

    private func hear(_ change: LiveChange) async {
        self.hearing.make(())
        switch change {
        case .anything:
            self.audience.tell { LiveEvent.reset(id: $0) }
        case .profile(let id):
            // Nobody's change costs a query that nobody has asked for.
            guard self.audience.count > 0 else { return self.audience.skip() }
            do {
                guard let profile = try await self.database.profile(id) else { return }
                let json = try JSONBytes.encode(profile)
                self.audience.tell { LiveEvent.profile(json, id: $0) }
            } catch {
                guard !Task.isCancelled else { return }
                self.logger.warning("a changed profile could not be read: \(error)")
                self.audience.tell { LiveEvent.reset(id: $0) }
            }
        }
    }
}

/// Ends the streams of several feeds when it is told to end: in front of what would wait for them, a proxy.
struct LiveEnding: Service {
    let feeds: [LiveFeed]

    func run() async throws {
        try? await gracefulShutdown()
        for feed in self.feeds { feed.end() }
    }
}
