import GRDB

/// The tables, and how a database of an earlier version becomes one of this.
enum ProfileSchema {
    /// Brings a database to this version; several processes may do so to one file at once.
    static func apply(to database: some DatabaseWriter) throws {
        let migrator = Self.migrator
        while true {
            let known = try database.read(migrator.appliedIdentifiers)
            do {
                return try migrator.migrate(database)
            } catch {
                // The migrator looks up what was applied before it has the lock. When another process applied it meanwhile, doing it again
                // fails, and the next look finds it done. Each round there is less to do, so this ends.
                guard try database.read(migrator.appliedIdentifiers) != known else { throw error }
            }
        }
    }

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("profiles") { database in
            try database.execute(
                sql: """
                    CREATE TABLE profile (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        name BLOB NOT NULL,
                        email TEXT NOT NULL,
                        email_key TEXT NOT NULL UNIQUE,
                        bio BLOB NOT NULL,
                        password TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE cache_notice (
                        id INTEGER PRIMARY KEY AUTOINCREMENT
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("notices say whose profile") { database in
            // Without a value where an earlier version, which may still run beside this one, leaves a notice.
            try database.execute(sql: "ALTER TABLE cache_notice ADD COLUMN profile INTEGER")
        }
        return migrator
    }
}
