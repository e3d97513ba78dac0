import CacheKit

/// The list of all profiles as JSON, kept for 300 s or until somebody changes.
struct ProfileListCache: Sendable {
    private static let key = "user_profiles"
    private static let tag = "profiles"
    static let expiry = Duration.seconds(300)

    let cache: Cache
    let database: ProfileDatabase

    /// The list, and whether it was in the cache when the call came.
    ///
    /// Encoded JSON is cached rather than profiles: a hit is then sent as it is.
    func json() async throws -> (bytes: [UInt8], wasCached: Bool) {
        let database = self.database
        let result = try await self.cache.lookup(for: Self.key, expiresIn: Self.expiry, tags: [Self.tag]) {
            try JSONBytes.encode(try await database.allProfiles())
        }
        return (result.value, result.outcome == .hit)
    }

    /// After this returned, no call of ``json()`` that begins later, on any instance, sees an older list.
    func invalidate() async throws {
        try await self.cache.invalidate(tag: Self.tag)
    }
}
