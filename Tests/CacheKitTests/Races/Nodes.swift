import CacheKit
import ScaleTesting

/// Two nodes of one service: caches of their own, with flights of their own, on one store.
struct Nodes {
    let time = ManualTime()
    let one: Cache
    let other: Cache

    init() {
        var configuration = CacheConfiguration()
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
