internal import DequeModule

/// What becomes of a delivery, by its tag.
enum AMQPSettlement: Hashable, Sendable {
    case acknowledge(UInt64)
    case giveBack(UInt64)
}

/// The deliveries of a channel that the server has heard nothing about: which of them one acknowledgement can settle. A value.
///
/// AMQP's acknowledgement can speak for all deliveries up to its tag. That is used where each of them has been settled, and so says
/// nothing new: it costs the server one step in place of many. A channel's tags count from one; with a server whose tags do not,
/// each delivery is settled by itself.
struct UnsettledDeliveries {
    /// What is written.
    enum Word: Hashable {
        case acknowledge(UInt64)
        case acknowledgeAllUpTo(UInt64)
        case giveBack(UInt64)
    }

    private enum State {
        case unsettled
        case acknowledgedNow
        case settled
    }

    /// Beyond so many, those at the front become stragglers: one long job shall not make a list of all that came after it.
    private static let maximumListed = 4096

    private var countsFromOne = true
    private var firstListed: UInt64 = 1
    /// Of consecutive tags.
    private var listed: Deque<State> = []
    /// Unsettled, and older than all that is listed.
    private var stragglers: Set<UInt64> = []

    mutating func arrived(_ tag: UInt64) {
        guard self.countsFromOne, tag == self.firstListed &+ UInt64(self.listed.count) else {
            self.countsFromOne = false
            self.listed = []
            self.stragglers = []
            return
        }
        self.listed.append(.unsettled)
        if self.listed.count > Self.maximumListed, let first = self.listed.popFirst() {
            if first == .unsettled { self.stragglers.insert(self.firstListed) }
            self.firstListed += 1
        }
    }

    /// What to write for these settlements, in this order: a message that is given back must be so before an acknowledgement speaks for
    /// all up to one that is younger.
    mutating func settle(_ settlements: [AMQPSettlement]) -> [Word] {
        var words: [Word] = []
        var acknowledged: [UInt64] = []
        for settlement in settlements {
            switch settlement {
            case .giveBack(let tag):
                words.append(.giveBack(tag))
                self.note(tag, .settled)
            case .acknowledge(let tag):
                acknowledged.append(tag)
                self.note(tag, .acknowledgedNow)
            }
        }
        let last = self.takeSettledFront()
        if let last { words.append(.acknowledgeAllUpTo(last)) }
        for tag in acknowledged where last.map({ tag > $0 }) ?? true {
            words.append(.acknowledge(tag))
            self.note(tag, .settled)
        }
        return words
    }

    private mutating func note(_ tag: UInt64, _ state: State) {
        guard tag >= self.firstListed else {
            self.stragglers.remove(tag)
            return
        }
        let index = tag - self.firstListed
        if index < self.listed.count { self.listed[Int(index)] = state }
    }

    /// Forgets what is settled before all that is not; returns the last of them that is still to be acknowledged.
    private mutating func takeSettledFront() -> UInt64? {
        guard self.stragglers.isEmpty else { return nil }
        var last: UInt64?
        while let first = self.listed.first, first != .unsettled {
            if first == .acknowledgedNow { last = self.firstListed }
            self.listed.removeFirst()
            self.firstListed += 1
        }
        return last
    }
}
