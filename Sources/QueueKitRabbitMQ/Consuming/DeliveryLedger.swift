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
    }

    private var waiting: [[UInt8]: Deque<Item>] = [:]
    private var held: [Int64: Held] = [:]
    /// Larger than all that earlier processes have used, unless they handed out more than a million messages a second.
    private var lastToken: Int64

    init(startingAt now: UTCTime) {
        let (token, overflow) = max(0, now.millisecondsSinceEpoch).multipliedReportingOverflow(by: 1000)
        self.lastToken = overflow ? 0 : token
    }

    /// How many messages the server counts as ours.
    var count: Int { self.held.count + self.waiting.values.reduce(0) { $0 + $1.count } }

    func waitingCount(of queue: String) -> Int { self.waiting[Array(queue.utf8)]?.count ?? 0 }
    func heldCount(of queue: String) -> Int { self.held.values.count { $0.item.queue.utf8.elementsEqual(queue.utf8) } }

    var nextDeadline: Instant? { self.held.values.lazy.filter { !$0.isSettling }.map(\.end).min() }

    mutating func arrived(_ item: Item) {
        self.waiting[Array(item.queue.utf8), default: []].append(item)
    }

    /// Leases messages of the queues, one queue after the other.
    mutating func take(_ request: ReceiveRequest, at now: Instant) -> [Delivery] {
        var deliveries: [Delivery] = []
        for queue in request.queues {
            let key = Array(queue.utf8)
            while deliveries.count < request.limit, let item = self.waiting[key]?.popFirst() {
                self.lastToken += 1
                let lease = Lease(queue: item.queue, message: self.lastToken, fencingToken: self.lastToken, owner: request.owner)
                self.held[self.lastToken] = Held(item: item, lease: lease, end: now.advanced(by: request.lease))
                deliveries.append(Delivery(lease: lease, message: item.message, losses: item.losses))
            }
        }
        return deliveries
    }

    /// The owner speaks its last word, which ``settled(_:)`` or ``unsettled(_:)`` follows.
    mutating func settle(_ lease: Lease, at now: Instant) throws(QueueError) -> Item {
        guard var held = self.held[lease.message], held.lease == lease, !held.isSettling, now < held.end else { throw .staleLease(lease) }
        held.isSettling = true
        self.held[lease.message] = held
        return held.item
    }

    mutating func settled(_ lease: Lease) {
        self.held[lease.message] = nil
    }

    /// The word could not be carried out; the lease goes on.
    mutating func unsettled(_ lease: Lease) {
        self.held[lease.message]?.isSettling = false
    }

    mutating func extend(_ leases: [Lease], by duration: Duration, at now: Instant) -> Set<Lease> {
        var ended: Set<Lease> = []
        for lease in leases {
            guard let held = self.held[lease.message], held.lease == lease, now < held.end else {
                ended.insert(lease)
                continue
            }
            self.held[lease.message]?.end = now.advanced(by: duration)
        }
        return ended
    }

    /// Takes messages from the owners whose leases have ended.
    mutating func expire(at now: Instant) -> [Item] {
        let ended = self.held.values.filter { !$0.isSettling && $0.end <= now }.sorted { $0.lease.fencingToken < $1.lease.fencingToken }
        for held in ended { self.held[held.lease.message] = nil }
        return ended.map(\.item)
    }

    /// Everything of a connection that is gone: the server gives it to others.
    mutating func lost(epoch: UInt64) {
        self.held = self.held.filter { $0.value.item.tag.epoch != epoch }
        for key in self.waiting.keys { self.waiting[key]?.removeAll { $0.tag.epoch == epoch } }
    }

    /// Takes out what waits for a worker, of one queue or of all.
    mutating func takeWaiting(of queue: String? = nil) -> [Item] {
        if let queue { return Array(self.waiting.removeValue(forKey: Array(queue.utf8)) ?? []) }
        defer { self.waiting = [:] }
        return self.waiting.values.flatMap { $0 }
    }
}
