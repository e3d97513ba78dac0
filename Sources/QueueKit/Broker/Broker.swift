public import ScaleCore

/// Where messages wait for workers, and where they are while a worker has them.
///
/// A broker keeps messages in named queues, which come into being with their first message. A message that is handed to a worker is
/// *leased*: it stays in the broker's keeping, belongs to its owner until the lease ends, and comes back when it ends without word from
/// the owner. Every lease has a **fencing token**, larger than all earlier ones of the message; an owner whose lease has ended is refused
/// by it, however late it speaks.
///
/// **Atomicity.** Each call happens as a whole or not at all, and on the caller's return it has happened: a published message survives
/// what the broker promises to survive, an acknowledged one never comes back. ``retry(_:with:notBefore:)`` replaces a message in one
/// step: there is no moment at which both or neither exist.
///
/// **Cancellation.** A `receive` that is cancelled while it waits throws `CancellationError` and has leased nothing; what it has leased
/// already it returns. A `publish` may throw it as long as the message has not been given to the server. The other calls do not react to
/// cancellation.
///
/// **Order.** Larger priority first, if ``capabilities`` says so, then first published first. A message that is
/// released, or whose lease ends, comes back to its old place where ``BrokerCapabilities/keepsOrder`` says so, and to any place else; there
/// is no promise of order among several workers.
///
/// **Errors** are ``QueueError``s: `.unavailable` when the broker cannot be reached (the worker tries again), `.accessRefused` when it
/// refuses the caller, `.staleLease` for a lease that has ended, `.closed` after shutdown, `.unsupported` for what a broker cannot do.
///
/// Run `BrokerConformance` of QueueKitTesting on every implementation.
public protocol Broker: Sendable {
    /// What this broker can do beyond the least.
    var capabilities: BrokerCapabilities { get }

    /// Adds a message to a queue. `notBefore` keeps it from workers until then; the delay is the broker's to keep and survives the worker.
    func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws

    /// Leases up to `request.limit` messages; waits for the first one if the request says so.
    func receive(_ request: ReceiveRequest) async throws -> [Delivery]

    /// Removes a message for good: its job is done.
    func acknowledge(_ lease: Lease) async throws

    /// Prolongs leases to `duration` from now, and returns those that had ended: their owner must stop.
    func extend(_ leases: [Lease], by duration: Duration) async throws -> Set<Lease>

    /// Gives a message back untouched, to be leased by anybody at once. Not counted as a loss.
    func release(_ lease: Lease) async throws

    /// Replaces a leased message by another one, which waits until `notBefore`. The count of losses is kept.
    func retry(_ lease: Lease, with message: Message, notBefore: UTCTime?) async throws

    /// Takes a message out of circulation and keeps it to be looked at.
    ///
    /// - Parameter reason: why, in words that hold no argument of the job.
    func deadLetter(_ lease: Lease, reason: String) async throws

    /// How many messages a queue holds in which condition.
    func counts(of queue: String) async throws -> QueueCounts

    /// Up to `limit` dead letters of a queue, oldest first.
    func deadLetters(of queue: String, limit: Int) async throws -> [DeadLetter]

    /// Puts up to `limit` dead letters back into their queue, oldest first and as if just published, and returns how many.
    @discardableResult func redrive(_ queue: String, limit: Int) async throws -> Int

    /// Puts the dead letters of these jobs back into their queue, as if just published, and returns the jobs whose letters were found. A
    /// broker may look through the oldest ten thousand only.
    @discardableResult func redrive(_ queue: String, jobs: Set<JobID>) async throws -> Set<JobID>

    /// Removes all messages of a queue that no worker holds, dead letters excepted, and returns how many.
    @discardableResult func purge(_ queue: String) async throws -> Int
}

/// What a broker can do beyond the least.
public struct BrokerCapabilities: Hashable, Sendable {
    /// Larger priorities are received first.
    public var ordersByPriority = false
    /// Messages survive the end of the process.
    public var isDurable = false
    /// Messages whose time has not come are counted with, and purged with, their queue.
    public var countsDelayed = true
    /// A message that is released, or whose lease ends, is received before those of its priority that were published after it, and
    /// ``ReceiveRequest/inOrder`` is observed.
    public var keepsOrder = false

    public init(ordersByPriority: Bool = false, isDurable: Bool = false, countsDelayed: Bool = true, keepsOrder: Bool = false) {
        self.ordersByPriority = ordersByPriority
        self.isDurable = isDurable
        self.countsDelayed = countsDelayed
        self.keepsOrder = keepsOrder
    }
}

/// A worker's wish for messages.
public struct ReceiveRequest: Hashable, Sendable {
    public var queues: [String]
    /// How many at most; less than 1 yields none.
    public var limit: Int
    /// How long a message belongs to the owner without word from it.
    public var lease: Duration
    /// Who asks, for people who look at the broker.
    public var owner: String
    /// Whether to wait for the first message, or to return none at once.
    public var waits: Bool
    /// Whether to lease nothing while anybody holds a message of these queues, so that what is received is the head of what is left. For
    /// brokers that say ``BrokerCapabilities/keepsOrder``; others take no notice.
    public var inOrder: Bool
    /// Whether a worker asks, who begins with the jobs at once; see ``StateKeepingBroker``.
    package var startsJobs = false

    public init(queues: [String], limit: Int, lease: Duration, owner: String, waits: Bool = true, inOrder: Bool = false) {
        self.queues = queues
        self.limit = limit
        self.lease = lease
        self.owner = owner
        self.waits = waits
        self.inOrder = inOrder
    }
}
