internal import DequeModule
internal import QueueKit
internal import ScaleCore

/// What is published and not yet confirmed. A value: it decides what is sent when, and what became of it.
///
/// The server confirms by tags, which count what a channel has published. They are counted here as well, since a confirm may come before
/// the call that published has returned: messages are sent in the order in which ``nextBatch(limit:)`` gives them, and by nobody else.
/// When the connection is lost, what was not confirmed goes out again, under the same id and before all that is younger.
///
/// When the server closes the channel, it does so for one message and does not say which: what was on its way goes out again one by one,
/// and the one for which the channel is closed while nothing else is on its way is refused.
struct PublishEngine {
    /// How a publication ended.
    enum Outcome: Equatable {
        case confirmed
        /// No queue took it; the server's words.
        case unroutable(String)
        /// The server could not take it, or its queue is full.
        case rejected
        /// The server closed the channel for it.
        case refused(code: Int, text: String)
    }

    private enum Link: Equatable {
        case down
        case up
        /// The server asked for silence.
        case blocked
    }

    private struct Entry {
        var outgoing: AMQPOutgoing
        /// Sent over the present connection, and so the server's perhaps.
        var isInFlight = false
        /// The server's words when it came back as unroutable; the confirm follows.
        var returned: String?
    }

    private let window: Int
    private var link = Link.down
    private var entries: [UInt64: Entry] = [:]
    private var waiting: Deque<UInt64> = []
    private var inFlight: Deque<(tag: UInt64, id: UInt64)> = []
    private var deadlines = Deadlines()
    /// What was on its way when the channel was closed.
    private var suspects: Set<UInt64> = []
    private var lastID: UInt64 = 0
    private var lastTag: UInt64 = 0

    /// - Parameter window: how many may be unconfirmed.
    init(window: Int) {
        self.window = max(1, window)
    }

    /// Whether something waits for a connection.
    var needsLink: Bool { self.link == .down && !self.waiting.isEmpty }

    /// Whether there is something that can be sent now.
    var canSend: Bool { self.link == .up && !self.waiting.isEmpty && self.inFlight.count < self.room }

    /// How many may be unconfirmed at present.
    private var room: Int { self.suspects.isEmpty ? self.window : 1 }

    /// When the first one is given up.
    var nextDeadline: Instant? { self.deadlines.earliest }

    /// An id for a message, larger than all before it.
    mutating func nextID() -> UInt64 {
        self.lastID += 1
        return self.lastID
    }

    /// Takes a message over; its id is the message's `message-id` as well.
    mutating func submit(_ outgoing: AMQPOutgoing, id: UInt64, deadline: Instant) {
        var outgoing = outgoing
        outgoing.number = id
        self.entries[id] = Entry(outgoing: outgoing)
        self.deadlines.set(deadline, for: id)
        self.waiting.append(id)
    }

    /// Gives a message up that is not on its way; `false` when it is, or has ended.
    mutating func withdraw(_ id: UInt64) -> Bool {
        guard let entry = self.entries[id], !entry.isInFlight else { return false }
        self.forget(id)
        self.waiting.removeAll { $0 == id }
        return true
    }

    @discardableResult private mutating func forget(_ id: UInt64) -> Entry? {
        self.deadlines.remove(id)
        self.suspects.remove(id)
        return self.entries.removeValue(forKey: id)
    }

    /// What to send now; it is in flight from here on.
    mutating func nextBatch(limit: Int = 64) -> [AMQPOutgoing] {
        guard self.link == .up else { return [] }
        var batch: [AMQPOutgoing] = []
        while batch.count < limit, self.inFlight.count < self.room, let id = self.waiting.popFirst() {
            guard let place = self.entries.index(forKey: id) else { continue }
            self.entries.values[place].isInFlight = true
            self.lastTag += 1
            self.inFlight.append((self.lastTag, id))
            batch.append(self.entries.values[place].outgoing)
        }
        return batch
    }

    /// A new channel, which counts from one.
    mutating func connected() {
        self.disconnected()
        self.link = .up
    }

    /// The server closed the channel, which has been opened again; returns what ended by it.
    mutating func channelClosed(code: Int, text: String) -> [(id: UInt64, outcome: Outcome)] {
        let count = self.inFlight.count
        let unconfirmed = self.inFlight.map(\.id).filter { self.entries[$0] != nil }
        self.connected()
        if count == 1, let culprit = unconfirmed.first {
            self.waiting.removeAll { $0 == culprit }
            self.forget(culprit)
            return [(culprit, .refused(code: code, text: text))]
        }
        self.suspects = Set(unconfirmed)
        return []
    }

    mutating func disconnected() {
        self.link = .down
        self.lastTag = 0
        let unconfirmed = self.inFlight.map(\.id).filter { self.entries[$0] != nil }
        self.inFlight.removeAll()
        for id in unconfirmed {
            self.entries[id]?.returned = nil
            self.entries[id]?.isInFlight = false
        }
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
            guard let entry = self.forget(id) else { return }
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
        let expired = self.deadlines.takeEnded(at: now)
        for id in expired {
            self.entries[id] = nil
            self.suspects.remove(id)
        }
        if !expired.isEmpty { self.waiting.removeAll { self.entries[$0] == nil } }
        return expired
    }

    /// Gives up everything.
    mutating func close() -> [UInt64] {
        defer {
            self.entries = [:]
            self.deadlines.removeAll()
            self.suspects = []
            self.waiting = []
        }
        return self.entries.keys.sorted()
    }
}
