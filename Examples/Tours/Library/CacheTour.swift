import CacheKit
import ScaleCore

/// A list that is loaded once, however many ask, and again after it was invalidated.
public enum CacheTour {
    public static func run(say: @escaping @Sendable (String) -> Void) async throws {
        let database = Counted(["Ada", "Grace"])

        // snippet: cache
        let cache = Cache(store: MemoryStore(), namespace: "profiles")

        func names() async throws -> CacheResult<[String]> {
            try await cache.lookup(for: "user_profiles", expiresIn: .seconds(300), tags: ["profiles"]) {
                await database.read()  // runs once, however many callers wait
            }
        }

        say("\(try await names().outcome)")
        say("\(try await names().outcome)")
        try await cache.invalidate(tag: "profiles")  // no load that began before this can be stored any more
        say("\(try await names().outcome)")
        // end snippet

        say("\(database.reads) reads of the database")
    }

    /// A database that counts how often it is asked.
    private final class Counted: Sendable {
        private let names: [String]
        private let count = Locked(0)

        init(_ names: [String]) {
            self.names = names
        }

        var reads: Int { self.count.withLock { $0 } }

        func read() async -> [String] {
            self.count.withLock { $0 += 1 }
            return self.names
        }
    }
}
