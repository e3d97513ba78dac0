#if SQLite
public import GRDB
internal import QueueKit
public import ScaleCore

/// The SQLite database that keeps jobs and results: a file of its own, or tables in the database that the service has anyway.
///
/// ```swift
/// let queue = JobQueue(sqlite: try SQLiteQueueDatabase(path: "jobs.sqlite"))
/// ```
///
/// Its tables are named `scalekit_queue_…` and are created and migrated when the object is made. Any number of processes on one machine
/// may use one file at once; a file on a network volume is not safe, as with SQLite in general.
///
/// **Durability.** In a file of its own, a job that was enqueued survives the end of the process and the loss of power (WAL with
/// `synchronous = FULL`). Leases, and the end of a job with its result, survive the end of the process at once, and the loss of power from
/// the next job that is enqueued on, or from when the system writes the file: till then the job is run again after such a loss, which no
/// worker can exclude anyway. See ``Configuration-swift.struct/syncsSettlements``. In the service's own database it survives what that database's settings let survive: with GRDB's default
/// for pools, `NORMAL`, the last transactions may be lost with the power.
///
/// **States.** A job is `STARTED` from the moment a worker takes its message, also if that then turns out to be expired or revoked, and
/// `PENDING` again when the message is given back. A success is recorded together with its acknowledgement, so only by a worker that holds the
/// lease. GRDB's transaction observers are told of the queue's transactions, and not of the single rows of its tables.
///
/// **Clock.** Leases and delays are kept in UTC, since processes share them. A clock that jumps ahead ends leases early: the job then runs
/// again, and the first worker's word about it is refused.
public final class SQLiteQueueDatabase: Sendable {
    /// How the tables are kept; right when empty.
    public struct Configuration: Sendable {
        /// How long results are kept after a job's end. Celery's default is a day as well.
        public var resultRetention: Duration = .seconds(86_400)
        /// How long dead letters are kept.
        public var deadLetterRetention: Duration = .seconds(14 * 86_400)
        /// The shortest and longest time between looks for what other processes wrote, while somebody waits. The time doubles while nothing
        /// is found. Work of this process is noticed at once and needs no look.
        public var shortestPoll: Duration = .milliseconds(5)
        public var longestPoll: Duration = .milliseconds(250)
        /// How long to wait for another process's transaction, in a file of its own.
        public var busyTimeout: Duration = .seconds(10)
        /// Whether acknowledgements, retries, dead letters and results wait for the disk like what is enqueued, in a file of its own. It
        /// costs two waits more for each job, and saves that a loss of power repeats those that have ended since the last wait.
        public var syncsSettlements = false

        public init() {}
    }

    /// The database itself.
    public let writer: any DatabaseWriter
    let configuration: Configuration
    let time: TimeSource
    let changes: Changes
    let pending = PendingWrites()
    /// The writer's connection, by its address: a caller's transaction may be on another one.
    private let connection: UInt
    /// The file is ours, and with it how its transactions reach the disk.
    let ownsFile: Bool
    private let lastPruning = Locked(UTCTime(nanosecondsSinceEpoch: .min))

    /// Opens or creates a file of its own. Blocks its thread meanwhile, for up to `busyTimeout` when another process is writing: to be
    /// called when a service starts.
    ///
    /// - Throws: ``QueueError`` `.unavailable` when the file cannot be opened, `.unsupported` when a later version has written it.
    public convenience init(path: String, configuration: Configuration = .init(), time: TimeSource = .system) throws {
        var options = GRDB.Configuration()
        options.busyMode = .timeout(configuration.busyTimeout.fractionalSeconds)
        options.label = "QueueKitSQLite"
        let pool: DatabasePool
        do {
            pool = try DatabasePool(path: path, configuration: options)
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        } catch {
            throw QueueError(code: .unavailable, message: "cannot open \(path): \(Self.describe(error))")
        }
        try self.init(pool, ownsFile: true, configuration: configuration, time: time)
    }

    /// Keeps jobs in the service's own database.
    ///
    /// Give its configuration a `busyMode` with a time-out when other processes write to it too.
    ///
    /// - Throws: ``QueueError`` `.unavailable` when the tables cannot be made, `.unsupported` when a later version has made them.
    public convenience init(_ writer: any DatabaseWriter, configuration: Configuration = .init(), time: TimeSource = .system) throws {
        try self.init(writer, ownsFile: false, configuration: configuration, time: time)
    }

    private init(_ writer: any DatabaseWriter, ownsFile: Bool, configuration: Configuration, time: TimeSource) throws {
        self.writer = writer
        self.ownsFile = ownsFile
        self.configuration = configuration
        self.time = time
        // In a file of its own, and over a connection of its own, nothing is written that this object does not learn of.
        self.changes = Changes(
            time: time, remembers: ownsFile, shortest: configuration.shortestPoll, longest: configuration.longestPoll,
            version: { try await writer.writeWithoutTransaction { try Int64.fetchOne($0, sql: "PRAGMA data_version") } })
        do {
            self.connection = try writer.writeWithoutTransaction { db in
                try db.inTransaction(.immediate) {
                    try Schema.migrate(db)
                    return .commit
                }
                return Self.address(of: db)
            }
        } catch let error as QueueError {
            throw error
        } catch {
            throw QueueError(code: .unavailable, message: "cannot make the queue's tables: \(Self.describe(error))")
        }
    }

    private static func address(of db: Database) -> UInt {
        UInt(bitPattern: db.sqliteConnection)
    }

    /// Whether this is the connection over which the queue itself writes.
    func isWriter(_ db: Database) -> Bool { Self.address(of: db) == self.connection }

    /// Now, in the unit of the tables: milliseconds since 1970.
    var now: Int64 { self.time.utcNow().millisecondsSinceEpoch }

    /// What a transaction survives from its end on. Every one survives the end of the process.
    enum Durability: Sendable {
        /// The loss of power from the next transaction on that waits for the disk: none that came later survives without it.
        case process
        /// The loss of power: it waits for the disk.
        case power
    }

    /// Of what happens to a message after it was enqueued.
    var settlement: Durability { self.configuration.syncsSettlements ? .power : .process }

    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await self.writer.read(body)
        } catch let error as DatabaseError {
            throw QueueError(code: .unavailable, message: Self.describe(error))
        }
    }

    /// What is too old by now is removed by the way of other writes, at most once a minute: what to do for it within this one, if anything.
    func duePruning() -> Pruning? {
        let now = self.time.utcNow()
        let isDue = self.lastPruning.withLock { last in
            guard last.advanced(by: .seconds(60)) <= now else { return false }
            last = now
            return true
        }
        guard isDue else { return nil }
        func limit(_ retention: Duration) -> Int64 {
            now.millisecondsSinceEpoch.addingSaturating(-retention.wholeMillisecondsRoundedUp)
        }
        return Pruning(
            resultsBefore: limit(self.configuration.resultRetention), deadLettersBefore: limit(self.configuration.deadLetterRetention))
    }

    /// SQLite's own words, without the statement and its arguments.
    static func describe(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return String(reflecting: type(of: error)) }
        return "SQLite error \(error.extendedResultCode.rawValue): \(error.message ?? "no message")"
    }
}
#endif
