/// Work that is described by its payload and done elsewhere, later, at least once.
///
/// The conforming type *is* the payload: what it encodes are the keyword arguments of a Celery task, by the names of its coding
/// keys. The handler and what it needs are registered with the ``Worker``.
///
/// ```swift
/// struct SendEmailNotification: Job {
///     static let name = "myapp.tasks.send_email_notification"
///     typealias Output = String
///     var userID: Int
///     enum CodingKeys: String, CodingKey { case userID = "user_id" }   // Python's keyword
/// }
/// ```
///
/// A caller that passes positional arguments (Python's `task.delay(7)`) gives them in the order in which the payload's decoder asks
/// for its keys: the order of declaration when decoding is synthesized. Synthesized decoding ignores the defaults of properties;
/// a payload with optional arguments says so with `Optional` or in an `init(from:)` of its own.
///
/// Delivery is at least once: a worker that dies before it acknowledges leaves the job to another one. Handlers are written so
/// that running twice does no harm.
public protocol Job: Codable, Sendable {
    /// What the handler returns and the receipt's ``JobReceipt/value(timeout:)`` yields.
    associatedtype Output: Codable & Sendable = NoOutput

    /// The task's name, which worker and callers of every language agree on: `module.function` with Celery.
    static var name: String { get }

    /// Queue, retries and limits of jobs of this type; `enqueue` can override queue, priority and expiry for one call.
    static var defaults: JobDefaults { get }
}

extension Job {
    public static var defaults: JobDefaults { JobDefaults() }
}

/// The output of a job that returns nothing: JSON's `null`, Python's `None`.
public struct NoOutput: Codable, Hashable, Sendable {
    public init() {}

    /// Accepts any value: who expects nothing is not disturbed by something.
    public init(from decoder: any Decoder) throws {}

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encodeNil()
    }
}

/// What holds for all jobs of a type unless a call says otherwise.
public struct JobDefaults: Hashable, Sendable {
    /// The queue to publish to; `nil` is the queue's own default.
    public var queue: String?
    /// When and how often a failed job is tried again.
    public var retry: JobRetryPolicy = .init()
    /// After this time the handler's task is cancelled, and the try has failed (it may be retried). `nil`: no limit.
    public var softTimeLimit: Duration?
    /// After this time the job has failed for good, even if its handler does not react to cancellation. `nil`: no limit.
    /// Give it some more time than the soft limit, or the handler cannot clean up.
    public var hardTimeLimit: Duration?
    /// 0…255, the larger first.
    public var priority = 0

    public init(
        queue: String? = nil, retry: JobRetryPolicy = .init(), softTimeLimit: Duration? = nil, hardTimeLimit: Duration? = nil,
        priority: Int = 0
    ) {
        self.queue = queue
        self.retry = retry
        self.softTimeLimit = softTimeLimit
        self.hardTimeLimit = hardTimeLimit
        self.priority = priority
    }
}
