import Foundation
import GRDB
import Metrics

/// The users and their profiles, in a SQLite file that every instance opens.
///
/// Names and biographies are kept as UTF-8 bytes: SQLite's text ends at the first NUL character, and what was sent is to be
/// stored exactly.
public struct ProfileDatabase: Sendable {
    public enum WriteError: Error, Equatable {
        case emailTaken
        case noSuchProfile
    }

    let pool: DatabasePool
    /// SELECTs of profiles: what the cache is there to save.
    private let queries: Counter

    /// Opens the file, creates what is missing, and seeds `seed` profiles into a database without any.
    ///
    /// - Throws: `StartError` that names the path when the file cannot be opened or written.
    init(path: String, seed: Int, metrics: any MetricsFactory) async throws {
        self.queries = Counter(label: "database_queries_total", factory: metrics)
        do {
            var configuration = GRDB.Configuration()
            // Several processes write to one file; SQLite lets one at a time and the others wait.
            configuration.busyMode = .timeout(5)
            configuration.maximumReaderCount = 4
            self.pool = try Self.open(path, configuration)
            try ProfileSchema.apply(to: self.pool)
        } catch {
            let reason = (error as? DatabaseError)?.message ?? "\(error)"
            throw StartError("--database \(path): cannot be opened or written (\(reason)); name a file in a writable directory")
        }
        if seed > 0 {
            try await self.seed(count: seed)
        }
    }

    /// Looks at the size of SQLite's write-ahead log while it opens, which another instance that ends just then removes: a new attempt
    /// makes a new one.
    private static func open(_ path: String, _ configuration: GRDB.Configuration) throws -> DatabasePool {
        for _ in 0..<20 {
            do {
                return try DatabasePool(path: path, configuration: configuration)
            } catch let error as CocoaError where error.code == .fileReadNoSuchFile && error.filePath?.hasSuffix("-wal") == true {
                continue
            }
        }
        return try DatabasePool(path: path, configuration: configuration)
    }

    /// All profiles in the order of their ids.
    func allProfiles() async throws -> [Profile] {
        self.queries.increment()
        return try await self.pool.read { database in
            try Row.fetchCursor(database, sql: "SELECT id, name, email, bio FROM profile ORDER BY id").map(Profile.init(row:)).array()
        }
    }

    func profile(_ id: Int64) async throws -> Profile? {
        self.queries.increment()
        return try await self.pool.read { try Self.profile(id, in: $0) }
    }

    func profileExists(_ id: Int64) async throws -> Bool {
        try await self.pool.read {
            try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM profile WHERE id = ?)", arguments: [id]) ?? false
        }
    }

    func account(email: EmailAddress) async throws -> Account? {
        try await self.pool.read { database in
            try Row.fetchOne(database, sql: "SELECT id, name, password FROM profile WHERE email_key = ?", arguments: [email.key])
                .map { Account(id: $0["id"], name: Self.text($0["name"]), passwordHash: PasswordHash(stored: $0["password"])) }
        }
    }

    /// Creates a user and notes, in the same transaction, that the caches are to be told.
    func createUser(_ user: NewUser, password: PasswordHash) async throws -> (id: Int64, notice: CacheNotice) {
        do {
            return try await self.pool.write { database in
                try database.execute(
                    sql: "INSERT INTO profile (name, email, email_key, bio, password) VALUES (?, ?, ?, ?, ?)",
                    arguments: [Data(user.name.utf8), user.email.address, user.email.key, Data(), password.stored])
                let id = database.lastInsertedRowID
                return (id, try CacheNotice.note(ofProfile: id, in: database))
            }
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE {
            throw WriteError.emailTaken
        }
    }

    /// Changes a profile and notes, in the same transaction, that the caches are to be told.
    func update(_ id: Int64, with change: ProfileChange) async throws -> (profile: Profile, notice: CacheNotice) {
        try await self.pool.write { database in
            try database.execute(
                sql: "UPDATE profile SET name = ?, bio = ? WHERE id = ?",
                arguments: [Data(change.name.utf8), Data(change.bio.utf8), id])
            guard let profile = try Self.profile(id, in: database) else { throw WriteError.noSuchProfile }
            return (profile, try CacheNotice.note(ofProfile: id, in: database))
        }
    }

    /// Whether the database answers a query.
    func ping() async throws {
        _ = try await self.pool.read { try Int.fetchOne($0, sql: "SELECT 1") }
    }

    private static func profile(_ id: Int64, in database: Database) throws -> Profile? {
        try Row.fetchOne(database, sql: "SELECT id, name, email, bio FROM profile WHERE id = ?", arguments: [id]).map(Profile.init(row:))
    }

    fileprivate static func text(_ bytes: Data) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    private func seed(count: Int) async throws {
        guard try await self.pool.read({ try Int.fetchOne($0, sql: "SELECT count(*) FROM profile") }) == 0 else { return }
        let password = try await Seed.passwordHash.value
        try await self.pool.write { database in
            // Another instance may have seeded while this one was hashing.
            guard try Int.fetchOne(database, sql: "SELECT count(*) FROM profile") == 0 else { return }
            let insert = try database.makeStatement(
                sql: "INSERT INTO profile (id, name, email, email_key, bio, password) VALUES (?, ?, ?, ?, ?, ?)")
            for number in 1...count {
                let email = Seed.email(number)
                try insert.execute(arguments: [
                    number, Data("User \(number)".utf8), email, email, Data("Biography of user \(number)".utf8), password.stored,
                ])
            }
        }
    }
}

/// The users that a fresh database begins with.
public enum Seed {
    /// The password that all of them share; an obvious one, for demonstrations only.
    public static let password = "correct horse battery staple"

    /// Computed once, since a thousand scrypts would take minutes; seeded users are for demonstrations.
    static let passwordHash = Task { try await PasswordHasher().hash(Seed.password) }

    public static func email(_ number: Int) -> String { "user\(number)@example.com" }
}

extension Profile {
    init(row: Row) {
        self.init(
            id: row["id"], name: ProfileDatabase.text(row["name"]), email: row["email"], bio: ProfileDatabase.text(row["bio"]))
    }
}

extension Cursor {
    fileprivate func array() throws -> [Element] { try Array(self) }
}
