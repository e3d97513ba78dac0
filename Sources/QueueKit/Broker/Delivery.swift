public import ScaleCore

/// The right to speak for a message until the lease ends.
public struct Lease: Hashable, Sendable {
    public var queue: String
    /// The message's name within its broker.
    public var message: Int64
    /// Larger with every lease of the message.
    public var fencingToken: Int64
    public var owner: String

    public init(queue: String, message: Int64, fencingToken: Int64, owner: String) {
        self.queue = queue
        self.message = message
        self.fencingToken = fencingToken
        self.owner = owner
    }
}

/// A message in a worker's hands.
public struct Delivery: Hashable, Sendable {
    public var lease: Lease
    public var message: Message
    /// How many leases of this message ended without word from their owner.
    public var losses: Int
    /// Who asks for the job's state is told `STARTED` since this lease began; see ``StateKeepingBroker``.
    package var isKnownAsStarted = false

    public init(lease: Lease, message: Message, losses: Int) {
        self.lease = lease
        self.message = message
        self.losses = losses
    }
}

/// A message that was taken out of circulation.
public struct DeadLetter: Hashable, Sendable {
    public var queue: String
    public var message: Message
    public var reason: String
    public var at: UTCTime

    public init(queue: String, message: Message, reason: String, at: UTCTime) {
        self.queue = queue
        self.message = message
        self.reason = reason
        self.at = at
    }
}

/// How many messages a queue holds.
public struct QueueCounts: Hashable, Sendable {
    /// To be had at once.
    public var ready: Int
    /// Waiting for their time.
    public var delayed: Int
    /// With a worker.
    public var leased: Int
    /// Dead letters.
    public var dead: Int

    public init(ready: Int = 0, delayed: Int = 0, leased: Int = 0, dead: Int = 0) {
        self.ready = ready
        self.delayed = delayed
        self.leased = leased
        self.dead = dead
    }
}

extension QueueError {
    package static func staleLease(_ lease: Lease) -> QueueError {
        QueueError(
            code: .staleLease, message: "the lease of message \(lease.message) with token \(lease.fencingToken) has ended",
            queue: lease.queue)
    }
}
