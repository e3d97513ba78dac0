import GRDB

/// The tables, and how a database of an earlier version becomes one of this.
enum ProfileSchema {
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
        return migrator
    }
}
