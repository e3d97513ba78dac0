internal import DequeModule
internal import QueueKit
internal import ScaleCore

/// What the server has handed to this process and not seen settled: messages that wait for a worker, and those that workers hold. A value.
///
/// RabbitMQ knows no leases: a message is a connection's until it is acknowledged or the connection ends. Leases are kept here, on top of
/// that: one that ends without word from its owner is taken from it, and its message goes back into the queue.
struct DeliveryLedger {
    /// A delivery tag, which means something on one connection only.
    struct Tag: Hashable {
        var epoch: UInt64
        var number: UInt64
    }

    /// A message in this process.
    struct Item: Sendable {
        var queue: String
        var tag: Tag
        var message: Message
        var losses: Int
    }

    private struct Held {
        var item: Item
        var lease: Lease
        var end: Instant
        /// Its owner's last word is being carried out; the lease does not end meanwhile.
        var isSettling = false

        /// The message, if the lease is the one that holds it and may still be spoken for.
        mutating func beginSettling(_ lease: Lease, at now: Instant) -> Item? {
            guard self.lease == lease, !self.isSettling, now < self.end else { return nil }
            self.isSettling = true
            return self.item
        }
    }

    /// A queue's messages that nobody has yet.
    private struct Shelf {
        var items: Deque<Item> = []
        /// When somebody last asked for messages of this queue.
        var lastWanted: Instant
    }

    /// How long messages wait for a worker of this process before they are given back, for others to have.
    private let patience: Duration
    private var shelves: [ExactName: Shelf] = [:]
    private var held: [Int64: Held] = [:]
    /// When leases end, of those that nobody is speaking for, by their tokens.
    private var leaseEnds = Deadlines()
    /// Larger than all that earlier processes have used, unless they handed out more than a million messages a second.
    private var lastToken: Int64

    init(startingAt now: UTCTime, patience: Duration = .seconds(10)) {
        let (token, overflow) = max(0, now.millisecondsSinceEpoch).multipliedReportingOverflow(by: 1000)
        self.lastToken = overflow ? 0 : token
        self.patience = patience
    }

    /// A token as a number of its deadline.
    private static func number(_ token: Int64) -> UInt64 { UInt64(bitPattern: token) }

    /// How many messages the server counts as ours.
    var count: Int { self.held.count + self.shelves.values.reduce(0) { $0 + $1.items.count } }

    /// How many messages workers hold.
    var heldCount: Int { self.held.count }

    func waitingCount(of queue: String) -> Int { self.shelves[name: queue]?.items.count ?? 0 }
    func heldCount(of queue: String) -> Int { self.held.values.count { $0.item.queue.hasSameBytes(as: queue) } }

    /// When a lease ends, or messages have waited in vain.
    var nextDeadline: Instant? {
        let unwanted = self.shelves.values.lazy.filter { !$0.items.isEmpty }.map { $0.lastWanted.advanced(by: self.patience) }.min()
        return switch (self.leaseEnds.earliest, unwanted) {
        case (let end?, let unwanted?): min(end, unwanted)
        case (let end, let unwanted): end ?? unwanted
        }
    }

    mutating func arrived(_ item: Item, at now: Instant) {
        self.shelves[ExactName(item.queue), default: Shelf(lastWanted: now)].items.append(item)
    }

    /// Queues whose messages wait here while nobody of this process has asked for any of them for a while. Each is told once in that time.
    mutating func noteUnwanted(at now: Instant) -> [String] {
        var unwanted: [String] = []
        for (queue, shelf) in self.shelves where !shelf.items.isEmpty && shelf.lastWanted.advanced(by: self.patience) <= now {
            self.shelves[queue]?.lastWanted = now
            unwanted.append(queue.text)
        }
        return unwanted
    }

    /// Leases messages of the queues, one queue after the other.
    mutating func take(_ request: ReceiveRequest, at now: Instant) -> [Delivery] {
        var deliveries: [Delivery] = []
        for queue in request.queues {
            let key = ExactName(queue)
            self.shelves[key, default: Shelf(lastWanted: now)].lastWanted = now
            guard let shelf = self.shelves.index(forKey: key) else { continue }
            while deliveries.count < request.limit, let item = self.shelves.values[shelf].items.popFirst() {
                self.lastToken += 1
                let lease = Lease(queue: item.queue, message: self.lastToken, fencingToken: self.lastToken, owner: request.owner)
                self.held[self.lastToken] = Held(item: item, lease: lease, end: now.advanced(by: request.lease))
                self.leaseEnds.set(now.advanced(by: request.lease), for: Self.number(self.lastToken))
                deliveries.append(Delivery(lease: lease, message: item.message, losses: item.losses))
            }
        }
        return deliveries
    }

    /// The owner speaks its last word, which ``settled(_:)`` or ``unsettled(_:)`` follows.
    mutating func settle(_ lease: Lease, at now: Instant) throws(QueueError) -> Item {
        guard let place = self.held.index(forKey: lease.message) else { throw .staleLease(lease) }
        let item = self.held.values[place].beginSettling(lease, at: now)
        guard let item else { throw .staleLease(lease) }
        self.leaseEnds.remove(Self.number(lease.message))
        return item
    }

    mutating func settled(_ lease: Lease) {
        self.held[lease.message] = nil
    }

    /// The word could not be carried out; the lease goes on.
    mutating func unsettled(_ lease: Lease) {
        guard let held = self.held[lease.message], held.isSettling else { return }
        self.held[lease.message]?.isSettling = false
        self.leaseEnds.set(held.end, for: Self.number(lease.message))
    }

    mutating func extend(_ leases: [Lease], by duration: Duration, at now: Instant) -> Set<Lease> {
        var ended: Set<Lease> = []
        for lease in leases {
            guard let held = self.held[lease.message], held.lease == lease, now < held.end else {
                ended.insert(lease)
                continue
            }
            self.held[lease.message]?.end = now.advanced(by: duration)
            if !held.isSettling { self.leaseEnds.set(now.advanced(by: duration), for: Self.number(lease.message)) }
        }
        return ended
    }

    /// Takes messages from the owners whose leases have ended.
    mutating func expire(at now: Instant) -> [Item] {
        self.leaseEnds.takeEnded(at: now).compactMap { self.held.removeValue(forKey: Int64(bitPattern: $0))?.item }
    }

    /// Everything of a connection that is gone: the server gives it to others.
    mutating func lost(epoch: UInt64) {
        for (token, held) in self.held where held.item.tag.epoch == epoch {
            self.held[token] = nil
            self.leaseEnds.remove(Self.number(token))
        }
        for queue in self.shelves.keys { self.shelves[queue]?.items.removeAll { $0.tag.epoch == epoch } }
    }

    /// Takes out what waits for a worker, of one queue or of all.
    mutating func takeWaiting(of queue: String? = nil) -> [Item] {
        if let queue { return Array(self.shelves.removeValue(forKey: ExactName(queue))?.items ?? []) }
        defer { self.shelves = [:] }
        return self.shelves.values.flatMap(\.items)
    }
}
