/// What can go wrong between a caller, a queue, its broker and its results.
///
/// Messages name queues, tasks and job ids, never arguments or results.
public struct QueueError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; compare errors by it.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case invalidQueueName, invalidJob, messageTooLarge, staleLease, timeout, unavailable, closed, unsupported, undecodableResult,
                unroutable, accessRefused
        }

        private let value: Value

        /// A queue's name is empty, longer than 255 bytes, or has control characters.
        public static let invalidQueueName = Code(value: .invalidQueueName)
        /// The job cannot be encoded, or an option of the call is out of range.
        public static let invalidJob = Code(value: .invalidJob)
        /// The message is longer than the queue's limit.
        public static let messageTooLarge = Code(value: .messageTooLarge)
        /// The lease on a delivery has been lost: it expired, and the job belongs, or belonged, to another worker.
        public static let staleLease = Code(value: .staleLease)
        /// The wait was longer than the caller allows.
        public static let timeout = Code(value: .timeout)
        /// The broker or the result store cannot be reached or failed.
        public static let unavailable = Code(value: .unavailable)
        /// The broker refuses the user, the password, or what they ask for. Waiting mends it only if somebody changes the broker.
        public static let accessRefused = Code(value: .accessRefused)
        /// The broker has no queue that would take the message.
        public static let unroutable = Code(value: .unroutable)
        /// The broker has been shut down.
        public static let closed = Code(value: .closed)
        /// This broker cannot do what was asked.
        public static let unsupported = Code(value: .unsupported)
        /// The job succeeded, but its result is not what its type says.
        public static let undecodableResult = Code(value: .undecodableResult)

        public var description: String { self.value.rawValue }
    }

    public var code: Code
    /// What went wrong, for people.
    public var message: String
    public var queue: String?
    public var job: JobID?

    public init(code: Code, message: String, queue: String? = nil, job: JobID? = nil) {
        self.code = code
        self.message = message
        self.queue = queue
        self.job = job
    }

    public var description: String {
        var text = "\(self.code): \(self.message)"
        if let queue { text += ", queue \(queue)" }
        if let job { text += ", job \(job)" }
        return text
    }
}
