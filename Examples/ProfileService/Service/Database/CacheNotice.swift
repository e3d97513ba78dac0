import GRDB

/// A note that the caches are still to be told of a change: the journal of invalidations.
///
/// It is written in the transaction of the change itself, so that no crash between commit and invalidation can lose it, and
/// removed when the cache has confirmed. See ``CacheNotifier``.
struct CacheNotice: Sendable {
    var id: Int64

    static func note(ofProfile profile: Int64, in database: Database) throws -> CacheNotice {
        try database.execute(sql: "INSERT INTO cache_notice (profile) VALUES (?)", arguments: [profile])
        return CacheNotice(id: database.lastInsertedRowID)
    }
}

extension ProfileDatabase {
    /// The newest notice not confirmed yet, by whichever instance it was left.
    func newestPendingNotice() async throws -> CacheNotice? {
        try await self.pool.read { try Int64.fetchOne($0, sql: "SELECT max(id) FROM cache_notice") }.map(CacheNotice.init(id:))
    }

    /// Removes this notice and all before it: one invalidation that began later covers them all.
    ///
    /// - Returns: the changes that they were about, for the one who removes them to tell of; nobody else will.
    func confirm(through notice: CacheNotice) async throws -> [LiveChange] {
        try await self.pool.write { database in
            try Optional<Int64>.fetchAll(
                database, sql: "DELETE FROM cache_notice WHERE id <= ? RETURNING profile", arguments: [notice.id]
            ).map { profile in
                // An earlier version of this program did not say whose.
                profile.map(LiveChange.profile) ?? .anything
            }
        }
    }
}
