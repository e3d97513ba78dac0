#if SQLite
internal import GRDB
internal import QueueKit

/// The tables and their history.
///
/// The version has a table of its own: GRDB's migrator keeps one list for the whole database, and a migration that the service's own
/// migrator does not know would look like a newer version of the service to it.
enum Schema {
    /// What a message's row says about where it is.
    enum Condition: Int64 {
        case ready = 0
        case leased = 1
        case dead = 2
        case delayed = 3
    }

    /// Where the state of a message's job is kept as long as nothing but its enqueueing and its beginning is to be told.
    ///
    /// A row of the results' table says more than this does: who writes one sets ``elsewhere``.
    enum JobState: Int64 {
        /// In the results' table, in another store, or nowhere.
        case elsewhere = 0
        /// Here: `PENDING`.
        case pending = 1
        /// Here: `STARTED`.
        case started = 2
    }

    /// Each entry brings the tables one version further. Entries that have been released are never changed.
    private static let migrations: [String] = [
        """
        CREATE TABLE scalekit_queue_messages (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            job TEXT,
            queue TEXT NOT NULL,
            condition INTEGER NOT NULL,
            priority INTEGER NOT NULL,
            ready_at INTEGER NOT NULL,
            token INTEGER NOT NULL DEFAULT 0,
            losses INTEGER NOT NULL DEFAULT 0,
            owner TEXT,
            lease_until INTEGER,
            headers TEXT NOT NULL,
            properties TEXT NOT NULL,
            body BLOB NOT NULL,
            dead_at INTEGER,
            dead_reason TEXT
        );
        CREATE INDEX scalekit_queue_ready ON scalekit_queue_messages (queue, priority DESC, ready_at, number) WHERE condition = 0;
        CREATE INDEX scalekit_queue_leased ON scalekit_queue_messages (lease_until) WHERE condition = 1;
        CREATE INDEX scalekit_queue_dead ON scalekit_queue_messages (queue, dead_at, number) WHERE condition = 2;
        CREATE INDEX scalekit_queue_delayed ON scalekit_queue_messages (ready_at) WHERE condition = 3;
        CREATE INDEX scalekit_queue_job ON scalekit_queue_messages (job) WHERE job IS NOT NULL;
        CREATE TABLE scalekit_queue_results (
            job TEXT PRIMARY KEY,
            state TEXT NOT NULL,
            is_final INTEGER NOT NULL,
            status TEXT NOT NULL,
            changed_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX scalekit_queue_results_age ON scalekit_queue_results (is_final, changed_at);
        """,
        """
        ALTER TABLE scalekit_queue_messages ADD COLUMN job_state INTEGER NOT NULL DEFAULT 0;
        """,
    ]

    /// Brings the tables to the newest version, within the transaction of `db`.
    static func migrate(_ db: Database) throws {
        try db.execute(sql: "CREATE TABLE IF NOT EXISTS scalekit_queue_schema (version INTEGER NOT NULL)")
        let version = try Int.fetchOne(db, sql: "SELECT max(version) FROM scalekit_queue_schema") ?? 0
        guard version <= self.migrations.count else {
            throw QueueError(
                code: .unsupported,
                message: "the queue's tables have version \(version), this release knows versions up to \(self.migrations.count)")
        }
        guard version < self.migrations.count else { return }
        for migration in self.migrations[max(0, version)...] { try db.execute(sql: migration) }
        try db.execute(sql: "DELETE FROM scalekit_queue_schema")
        try db.execute(sql: "INSERT INTO scalekit_queue_schema (version) VALUES (?)", arguments: [self.migrations.count])
    }
}
#endif
