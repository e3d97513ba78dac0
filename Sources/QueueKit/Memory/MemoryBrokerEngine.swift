internal import DequeModule
internal import HeapModule
internal import ScaleCore

/// The rules of the memory broker: what is ready, delayed, leased and dead. A value: time is an argument, waiting is the shell's.
///
/// Publishing and leasing cost O(log n) in the messages of a queue; the next deadline is known in O(1), counting is O(n).
struct MemoryBrokerEngine {
    private struct Item {
        var queue: ExactName
        var message: Message
        var losses = 0
        var token: Int64 = 0
        /// Its place among those that are ready, since it was ready first; a message that is released or lost keeps it.
        var order: Int64?
        var place: Place
    }

    private enum Place {
        case ready
        case delayed
        case leased(until: Instant)
    }

    private struct Ready: Comparable {
        let priority: Int
        let order: Int64
        let item: Int64

        static func < (left: Ready, right: Ready) -> Bool {
            left.priority != right.priority ? left.priority > right.priority : left.order < right.order
        }
    }

    private struct Timed: Comparable {
        let at: Instant
        let item: Int64

        static func < (left: Timed, right: Timed) -> Bool {
            left.at != right.at ? left.at < right.at : left.item < right.item
        }
    }

    private let maximumDeadLetters: Int
    private var items: [Int64: Item] = [:]
    private var ready: [ExactName: Heap<Ready>] = [:]
    private var delayed = Heap<Timed>()
    /// When leases end. An extended or settled lease leaves its entry, which is put right when it comes up.
    private var leaseEnds = Heap<Timed>()
    private var dead: [ExactName: Deque<DeadLetter>] = [:]
    private var lastItem: Int64 = 0
    private var lastOrder: Int64 = 0

    init(maximumDeadLetters: Int) {
        self.maximumDeadLetters = max(0, maximumDeadLetters)
    }

    /// When something changes without anybody's doing: a delayed message is due, a lease may end.
    var nextDeadline: Instant? {
        switch (self.delayed.min?.at, self.leaseEnds.min?.at) {
        case (let due?, let end?): min(due, end)
        case (let due, let end): due ?? end
        }
    }

    mutating func publish(_ message: Message, to queue: String, notBefore: Instant?, at now: Instant) {
        self.lastItem += 1
        self.items[self.lastItem] = Item(queue: ExactName(queue), message: message, place: .ready)
        self.place(self.lastItem, notBefore: notBefore, at: now)
    }

    /// Leases messages of the queues, the best of them first.
    mutating func take(_ request: ReceiveRequest, at now: Instant) -> [Delivery] {
        self.advance(to: now)
        if request.inOrder, self.hasLeases(in: request.queues) { return [] }
        var deliveries: [Delivery] = []
        while deliveries.count < request.limit, let id = self.popReady(of: request.queues) {
            guard var item = self.items[id] else { continue }
            item.token += 1
            let end = now.advanced(by: request.lease)
            item.place = .leased(until: end)
            self.items[id] = item
            self.leaseEnds.insert(Timed(at: end, item: id))
            let lease = Lease(queue: item.queue.text, message: id, fencingToken: item.token, owner: request.owner)
            deliveries.append(Delivery(lease: lease, message: item.message, losses: item.losses))
        }
        return deliveries
    }

    /// - Complexity: O(n) in all messages.
    private func hasLeases(in queues: [String]) -> Bool {
        let names = queues.map { ExactName($0) }
        return self.items.values.contains { item in
            if case .leased = item.place { names.contains(item.queue) } else { false }
        }
    }

    mutating func acknowledge(_ lease: Lease, at now: Instant) throws(QueueError) {
        _ = try self.held(lease, at: now)
        self.remove(lease.message)
    }

    mutating func extend(_ leases: [Lease], by duration: Duration, at now: Instant) -> Set<Lease> {
        var ended: Set<Lease> = []
        for lease in leases {
            do {
                var item = try self.held(lease, at: now)
                item.place = .leased(until: now.advanced(by: duration))
                self.items[lease.message] = item
            } catch {
                ended.insert(lease)
            }
        }
        return ended
    }

    mutating func release(_ lease: Lease, at now: Instant) throws(QueueError) {
        _ = try self.held(lease, at: now)
        self.place(lease.message, notBefore: nil, at: now)
        self.dropSettledLeases()
    }

    mutating func retry(_ lease: Lease, with message: Message, notBefore: Instant?, at now: Instant) throws(QueueError) {
        var item = try self.held(lease, at: now)
        item.message = message
        item.order = nil
        self.items[lease.message] = item
        self.place(lease.message, notBefore: notBefore, at: now)
        self.dropSettledLeases()
    }

    mutating func deadLetter(_ lease: Lease, reason: String, at now: Instant, utc: UTCTime) throws(QueueError) {
        let item = try self.held(lease, at: now)
        self.remove(lease.message)
        var letters = self.dead.removeValue(forKey: item.queue) ?? []
        letters.append(DeadLetter(queue: item.queue.text, message: item.message, reason: reason, at: utc))
        while letters.count > self.maximumDeadLetters { letters.removeFirst() }
        self.dead[item.queue] = letters
    }

    mutating func redrive(_ queue: String, limit: Int, at now: Instant) -> Int {
        guard var letters = self.dead.removeValue(forKey: ExactName(queue)) else { return 0 }
        var count = 0
        while count < limit, let letter = letters.popFirst() {
            self.publish(letter.message, to: queue, notBefore: nil, at: now)
            count += 1
        }
        if !letters.isEmpty { self.dead[name: queue] = letters }
        return count
    }

    mutating func redrive(_ queue: String, jobs: Set<JobID>, at now: Instant) -> Set<JobID> {
        guard let letters = self.dead.removeValue(forKey: ExactName(queue)) else { return [] }
        var (found, rest): (Set<JobID>, Deque<DeadLetter>) = ([], [])
        for letter in letters {
            if let id = TaskMessage.id(of: letter.message), jobs.contains(id) {
                self.publish(letter.message, to: queue, notBefore: nil, at: now)
                found.insert(id)
            } else {
                rest.append(letter)
            }
        }
        if !rest.isEmpty { self.dead[name: queue] = rest }
        return found
    }

    mutating func purge(_ queue: String) -> Int {
        let name = ExactName(queue)
        let doomed = self.items.filter { _, item in
            guard item.queue == name else { return false }
            switch item.place {
            case .ready, .delayed: return true
            case .leased: return false
            }
        }
        for id in doomed.keys { self.items[id] = nil }
        self.ready[name] = nil
        return doomed.count
    }

    mutating func counts(of queue: String, at now: Instant) -> QueueCounts {
        self.advance(to: now)
        var counts = QueueCounts(dead: self.dead[name: queue]?.count ?? 0)
        let name = ExactName(queue)
        for item in self.items.values where item.queue == name {
            switch item.place {
            case .ready: counts.ready += 1
            case .delayed: counts.delayed += 1
            case .leased: counts.leased += 1
            }
        }
        return counts
    }

    func deadLetters(of queue: String, limit: Int) -> [DeadLetter] {
        Array((self.dead[name: queue] ?? []).prefix(max(0, limit)))
    }

    /// Makes ready what is due, and takes back what was lost.
    mutating func advance(to now: Instant) {
        while let first = self.delayed.min, first.at <= now {
            self.delayed.removeMin()
            if let item = self.items[first.item], case .delayed = item.place { self.makeReady(first.item) }
        }
        while let first = self.leaseEnds.min, first.at <= now {
            self.leaseEnds.removeMin()
            guard var item = self.items[first.item], case .leased(let end) = item.place else { continue }
            if end <= now {
                item.losses += 1
                self.items[first.item] = item
                self.makeReady(first.item)
            } else {
                self.leaseEnds.insert(Timed(at: end, item: first.item))
            }
        }
    }

    /// The item of a lease that still holds.
    private mutating func held(_ lease: Lease, at now: Instant) throws(QueueError) -> Item {
        self.advance(to: now)
        guard let item = self.items[lease.message], item.token == lease.fencingToken, case .leased = item.place else {
            throw .staleLease(lease)
        }
        return item
    }

    private mutating func remove(_ id: Int64) {
        self.items[id] = nil
        self.dropSettledLeases()
    }

    /// Forgets entries at the front of the lease ends whose lease is over, so that a queue at rest has no deadline.
    private mutating func dropSettledLeases() {
        while let first = self.leaseEnds.min {
            if let item = self.items[first.item], case .leased = item.place { return }
            self.leaseEnds.removeMin()
        }
    }

    private mutating func place(_ id: Int64, notBefore: Instant?, at now: Instant) {
        guard let notBefore, notBefore > now else { return self.makeReady(id) }
        self.items[id]?.place = .delayed
        self.delayed.insert(Timed(at: notBefore, item: id))
    }

    private mutating func makeReady(_ id: Int64) {
        guard var item = self.items[id] else { return }
        let order = item.order ?? self.lastOrder + 1
        self.lastOrder = max(self.lastOrder, order)
        item.place = .ready
        item.order = order
        self.items[id] = item
        self.ready[item.queue, default: []].insert(Ready(priority: item.message.properties.priority, order: order, item: id))
    }

    private mutating func popReady(of queues: [String]) -> Int64? {
        var best: (queue: ExactName, entry: Ready)?
        for queue in queues.lazy.map({ ExactName($0) }) {
            guard let entry = self.ready[queue]?.min else { continue }
            if let known = best, known.entry <= entry { continue }
            best = (queue, entry)
        }
        guard let best else { return nil }
        self.ready[best.queue]?.removeMin()
        if self.ready[best.queue]?.isEmpty == true { self.ready[best.queue] = nil }
        return best.entry.item
    }
}
