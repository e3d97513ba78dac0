public import QueueKit
public import ScaleCore
public import ScaleRedis

/// States and results in Redis, in the keys and on the channels of Celery's own result backend: a Python client's `AsyncResult` reads what
/// a Swift worker records, and a receipt what a Python worker does.
///
/// ```swift
/// let redis = try RedisClient("redis://127.0.0.1:6379/0")
/// let queue = JobQueue(broker: try RabbitMQBroker("amqp://guest@127.0.0.1//"), results: RedisResultStore(redis))
/// ```
///
/// **Form.** Under `celery-task-meta-` followed by the job's id, the JSON of ``QueueKit/JobStatus/json(extended:)``, which is published on the
/// channel of the same name when it is written, and expires (Celery's `result_expires`). A result that a Python worker has
/// compressed (`result_compression`), or one beyond ``Configuration/limits``, cannot be read here: asking for it throws `.undecodableResult`.
///
/// **PENDING.** Celery stores nothing for a job that waits. This store does: a value of the same form, without a result, that
/// Python reads as the `PENDING` that it would assume without it, and which tells a job that waits from one that nobody knows. It is
/// not published, since it is nobody's news. It expires like all others, so a job that waits longer than ``Configuration/retention``
/// is unknown until a worker begins it.
///
/// **Atomicity.** The rules of ``QueueKit/JobStatus/mayReplace(_:)`` are applied by one script on the server. What stands at the key and
/// is no result at all counts as nothing and is replaced; a result that cannot be read is never replaced, since it may be a `SUCCESS`.
///
/// **Chords** are counted here for workers of both languages, in the keys of Celery's backend (`celery-taskset-meta-` followed by the header's
/// id) and by the rules of Celery 5.7: a part counts once however often it is reported, and one worker at a time has the right to send the
/// body. That worker reads all parts at once, which must not be longer than ``Configuration/limits`` allow for a value.
///
/// **Waiting** does not poll: all waits of a store share one subscribing connection, which is opened by the first and stays. While the
/// connection is lost a wait goes on, and looks again when it is back.
public struct RedisResultStore: ResultStore {
    /// How results are kept; right when empty, for a Celery application without settings of its own.
    public struct Configuration: Sendable {
        /// How long a status is kept after it was recorded, in whole seconds, rounded up: Celery's `result_expires`, a day as there.
        /// `nil` keeps it for ever.
        public var retention: Duration? = .seconds(86_400)
        /// What the keys begin with: `global_keyprefix` of Celery's `result_backend_transport_options`. An underscore is put after it, as
        /// there, unless it ends with one of `: _ - .`
        public var globalKeyPrefix: String?
        /// Whether the parts of chords are kept by their index: `result_chord_ordered` of the same options. Where a chord has parts already,
        /// these are kept as they are.
        public var ordersChordParts = true
        /// Within which bounds values are read, and how long one may be that is written.
        public var limits = JSONLimits()

        public init() {}
    }

    private let redis: RedisClient
    let configuration: Configuration
    private let time: TimeSource
    let keys: ResultKeys
    private let watch: ResultWatch

    /// - Parameter time: bounds waits.
    public init(_ redis: RedisClient, configuration: Configuration = .init(), time: TimeSource = .system) {
        self.redis = redis
        self.configuration = configuration
        self.time = time
        self.keys = ResultKeys(globalPrefix: configuration.globalKeyPrefix)
        self.watch = ResultWatch(redis)
    }

    // MARK: Recording

    /// - Throws: ``QueueError``: `.messageTooLarge` when the value is longer than the limits allow; `.unavailable`, after which the status
    ///   may have been recorded; `.closed` after the client's shutdown.
    @discardableResult public func record(_ status: JobStatus) async throws -> Bool {
        let value = StoredResult.bytes(of: status)
        guard value.count <= self.maximumBytes else {
            throw QueueError(
                code: .messageTooLarge, message: "the status has \(value.count) bytes, the limit is \(self.maximumBytes)", job: status.id)
        }
        let isPending = status.state == .pending
        var foreign: [UInt8] = []
        // Once as a rule. A value that the script cannot judge is judged here, and replaced only if it still stands there.
        for _ in 0..<8 {
            let reply = try await self.run(
                ResultScript.record, status.id,
                [
                    RedisArgument(value), RedisArgument(self.retentionSeconds), isPending ? 1 : 0, RedisArgument(foreign),
                    RedisArgument(self.maximumBytes),
                ])
            switch reply {
            case .integer(let answer): return answer == 1
            case .bulk(let known):
                guard self.mayReplace(known, by: status) else { return false }
                foreign = known
            case .status, .null, .array, .error: throw self.unexpectedReply(for: status.id)
            }
        }
        throw QueueError(code: .unavailable, message: "the value at the job's key changes all the time", job: status.id)
    }

    private func mayReplace(_ known: [UInt8], by status: JobStatus) -> Bool {
        switch StoredResult(known, of: status.id, limits: self.configuration.limits) {
        case .nothing: status.mayReplace(nil)
        case .status(let known): status.mayReplace(known)
        case .unreadable(_, let isResult): !isResult && status.mayReplace(nil)
        }
    }

    var maximumBytes: Int { max(0, self.configuration.limits.maximumBytes) }

    /// For the script: 0 is for ever. Bounded by what Redis can count.
    var retentionSeconds: Int64 {
        guard let retention = self.configuration.retention else { return 0 }
        let seconds = (retention.wholeMillisecondsRoundedUp - 1) / 1000 + 1
        return min(max(seconds, 1), 100 * 365 * 86_400)
    }

    public func withdraw(_ id: JobID) async throws {
        _ = try await self.run(ResultScript.withdraw, id, [])
    }

    // MARK: Asking

    /// - Throws: ``QueueError``: `.undecodableResult` when something stands at the job's key that cannot be read; `.unavailable`, `.closed`.
    public func status(of id: JobID) async throws -> JobStatus? {
        let value: [UInt8]
        do {
            // One byte more than may be read: enough to know that a value is too long, however long it is. Of no value it makes an empty one.
            let range = [RedisArgument(self.keys.key(of: id)), 0, RedisArgument(self.maximumBytes)]
            guard let bytes = try await self.redis.send(RedisCommand("GETRANGE", range)).bytes else { throw self.unexpectedReply(for: id) }
            value = bytes
        } catch let error as RedisError where error.serverError?.kind == "WRONGTYPE" {
            throw Self.unreadable("it is no string", id)
        } catch {
            throw self.error(for: error, id)
        }
        switch StoredResult(value, of: id, limits: self.configuration.limits) {
        case .nothing: return nil
        case .status(let status): return status
        case .unreadable(let reason, _): throw Self.unreadable(reason, id)
        }
    }

    public func finalStatus(of id: JobID, within timeout: Duration) async throws -> JobStatus? {
        if let status = try await self.status(of: id), status.state.isFinal { return status }
        guard timeout > .zero else { return nil }
        return try await before(self.time.now().advanced(by: timeout), on: self.time) { try await self.end(of: id) }
    }

    private func end(of id: JobID) async throws -> JobStatus {
        let key = self.keys.key(of: id)
        let (ticket, news) = self.watch.register(for: key)
        defer { self.watch.unregister(ticket, for: key) }
        do {
            for try await _ in news {
                if let status = try await self.patientStatus(of: id), status.state.isFinal { return status }
            }
        } catch {
            throw self.error(for: error, id)
        }
        // The sequence of news ends by itself only when the task is cancelled.
        throw CancellationError()
    }

    /// The status, asked for until the server can be reached: who waits already waits on.
    private func patientStatus(of id: JobID) async throws -> JobStatus? {
        var failures = 0
        while true {
            do {
                return try await self.status(of: id)
            } catch let error as QueueError where error.code == .unavailable {
                failures += 1
                var random = RandomSource.system
                try await self.time.sleep(for: Self.patience.delay(afterFailures: failures, using: &random))
            }
        }
    }

    private static let patience = RetryPolicy(
        baseDelay: .milliseconds(100), maximumDelay: .seconds(2), jitter: .equal, maximumAttempts: nil)

    // MARK: Calling the server

    private func run(_ script: RedisScript, _ id: JobID, _ arguments: [RedisArgument]) async throws -> RedisValue {
        try await self.run(script, [self.keys.key(of: id)], arguments, for: id)
    }

    func run(_ script: RedisScript, _ keys: [String], _ arguments: [RedisArgument], for id: JobID? = nil) async throws -> RedisValue {
        do {
            return try await self.redis.evaluate(script, keys: keys, arguments: arguments)
        } catch {
            throw self.error(for: error, id)
        }
    }

    /// Any error as this store reports it.
    private func error(for error: any Error, _ id: JobID?) -> any Error {
        switch error {
        case is CancellationError, is QueueError:
            return error
        case let error as RedisError:
            let code: QueueError.Code = error.code == .clientShutDown ? .closed : .unavailable
            return QueueError(
                code: code, message: "Redis at \(error.address ?? self.redis.address): \(error.code): \(error.message)", job: id)
        default:
            return QueueError(code: .unavailable, message: "Redis at \(self.redis.address): \(type(of: error))", job: id)
        }
    }

    func unexpectedReply(for id: JobID) -> QueueError {
        QueueError(code: .unavailable, message: "Redis at \(self.redis.address) gave a reply that makes no sense", job: id)
    }

    private static func unreadable(_ reason: String, _ id: JobID) -> QueueError {
        QueueError(code: .undecodableResult, message: "the value at the job's key cannot be read: \(reason)", job: id)
    }
}
