import CacheKit
import ScaleTesting

/// Two nodes of one service: caches of their own, with flights of their own, on one store.
struct Nodes {
    let time = ManualTime()
    let one: Cache
    let other: Cache

    /// - Parameter poll: how often a caller looks again that waits for a load elsewhere. Longer ones make fewer steps of a long wait.
    init(poll: ClosedRange<Duration> = CacheConfiguration().pollInterval) {
        var configuration = CacheConfiguration()
        configuration.pollInterval = poll
        configuration.time = self.time.source
        let store = MemoryStore(time: self.time.source)
        self.one = Cache(store: store, namespace: "n", configuration: configuration)
        self.other = Cache(store: store, namespace: "n", configuration: configuration)
    }

    /// What is stored at `key` now, by a read that loads nothing.
    func stored(_ key: String) async throws -> String? {
        try await self.other.get(key, as: String.self)
    }
}
