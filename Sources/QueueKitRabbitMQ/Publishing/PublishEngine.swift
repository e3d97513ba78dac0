internal import DequeModule
internal import QueueKit
internal import ScaleCore

/// What is published and not yet confirmed. A value: it decides what is sent when, and what became of it.
///
/// The server confirms by tags, which count what a channel has published. They are counted here as well, since a confirm may come before
/// the call that published has returned: messages are sent in the order in which ``nextBatch(limit:)`` gives them, and by nobody else.
/// When the connection is lost, what was not confirmed goes out again, under the same id and before all that is younger.
struct PublishEngine {
    /// How a publication ended.
    enum Outcome: Equatable {
        case confirmed
        /// No queue took it; the server's words.
        case unroutable(String)
        /// The server could not take it, or its queue is full.
        case rejected
    }

    private enum Link: Equatable {
        case down
        case up
        /// The server asked for silence.
        case blocked
    }

    private struct Entry {
        var outgoing: AMQPConnection.Outgoing
        var deadline: Instant
        /// The server's words when it came back as unroutable; the confirm follows.
        var returned: String?
    }

    private let window: Int
    private var link = Link.down
    private var entries: [UInt64: Entry] = [:]
    private var waiting: Deque<UInt64> = []
    private var inFlight: Deque<(tag: UInt64, id: UInt64)> = []
    private var lastID: UInt64 = 0
    private var lastTag: UInt64 = 0

    /// - Parameter window: how many may be unconfirmed.
    init(window: Int) {
        self.window = max(1, window)
    }

    /// Whether something waits for a connection.
    var needsLink: Bool { self.link == .down && !self.waiting.isEmpty }

    /// When the first one is given up. Deadlines grow with the ids when every publication gets the same time; O(n) all the same.
    var nextDeadline: Instant? { self.entries.values.lazy.map(\.deadline).min() }

    /// Takes a message over; its id is the message's `message-id` as well.
    mutating func submit(_ outgoing: AMQPConnection.Outgoing, deadline: Instant) -> UInt64 {
        self.lastID += 1
        var outgoing = outgoing
        outgoing.messageID = "\(self.lastID)"
        self.entries[self.lastID] = Entry(outgoing: outgoing, deadline: deadline)
        self.waiting.append(self.lastID)
        return self.lastID
    }

    /// What to send now; it is in flight from here on.
    mutating func nextBatch(limit: Int = 64) -> [AMQPConnection.Outgoing] {
        guard self.link == .up else { return [] }
        var batch: [AMQPConnection.Outgoing] = []
        while batch.count < limit, self.inFlight.count < self.window, let id = self.waiting.popFirst() {
            guard let entry = self.entries[id] else { continue }
            self.lastTag += 1
            self.inFlight.append((self.lastTag, id))
            batch.append(entry.outgoing)
        }
        return batch
    }

    /// A new channel, which counts from one.
    mutating func connected() {
        self.disconnected()
        self.link = .up
    }

    mutating func disconnected() {
        self.link = .down
        self.lastTag = 0
        let unconfirmed = self.inFlight.map(\.id).filter { self.entries[$0] != nil }
        self.inFlight.removeAll()
        for id in unconfirmed { self.entries[id]?.returned = nil }
        self.waiting.prepend(contentsOf: unconfirmed)
    }

    mutating func blocked() {
        if self.link == .up { self.link = .blocked }
    }

    mutating func unblocked() {
        if self.link == .blocked { self.link = .up }
    }

    /// The server sent a message of ours back.
    mutating func returned(messageID: String?, text: String) {
        guard let id = messageID.flatMap(UInt64.init) else { return }
        self.entries[id]?.returned = text
    }

    /// A confirm; returns what ended by it, in the order of sending.
    mutating func confirmed(tag: UInt64, multiple: Bool, isAccepted: Bool) -> [(id: UInt64, outcome: Outcome)] {
        var ended: [(UInt64, Outcome)] = []
        func end(_ id: UInt64) {
            // One that was given up is known no more.
            guard let entry = self.entries.removeValue(forKey: id) else { return }
            ended.append((id, !isAccepted ? .rejected : entry.returned.map(Outcome.unroutable) ?? .confirmed))
        }
        if multiple {
            while let first = self.inFlight.first, first.tag <= tag {
                self.inFlight.removeFirst()
                end(first.id)
            }
        } else if let index = self.inFlight.firstIndex(where: { $0.tag == tag }) {
            end(self.inFlight.remove(at: index).id)
        }
        return ended
    }

    /// Gives up what has waited too long. One in flight keeps its place in the window until the server confirms it.
    mutating func expire(at now: Instant) -> [UInt64] {
        let expired = self.entries.filter { $0.value.deadline <= now }.map(\.key).sorted()
        for id in expired { self.entries[id] = nil }
        if !expired.isEmpty { self.waiting.removeAll { self.entries[$0] == nil } }
        return expired
    }

    /// Gives up everything.
    mutating func close() -> [UInt64] {
        defer {
            self.entries = [:]
            self.waiting = []
        }
        return self.entries.keys.sorted()
    }
}
