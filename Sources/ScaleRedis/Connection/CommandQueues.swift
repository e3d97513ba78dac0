import DequeModule
import NIOCore
import ScaleCore
import Synchronization

/// Identifies one call, so that its cancellation finds it.
struct CallToken: Hashable, Sendable {
    let number: UInt64

    private static let numbers = Atomic<UInt64>(0)

    /// A token that no other call of this process has.
    static func next() -> CallToken {
        CallToken(number: self.numbers.wrappingAdd(1, ordering: .relaxed).newValue)
    }
}

/// A call whose bytes are in the outgoing buffer or on the wire, in the order in which replies will come.
struct InFlightCall<Waiter> {
    let token: CallToken
    /// Nil once the caller was cancelled: the replies still have to be counted off.
    var waiter: Waiter?
    let replyCount: Int
    let byteCount: Int
}

/// A call that waits for a connection or for its turn.
struct WaitingCall<Waiter> {
    let token: CallToken
    let waiter: Waiter
    let replyCount: Int
    let bytes: ByteBuffer
    let deadline: Instant
    /// How much longer than the command time-out it may take once it is written.
    var patience = Duration.zero
}

/// Calls in order of arrival, any of which can be taken out in constant time on average.
///
/// A cancelled call leaves its token behind in the order; tokens without a call are skipped, and swept when they are many.
struct WaitingQueue<Waiter> {
    private var order = Deque<CallToken>()
    private var calls: [CallToken: WaitingCall<Waiter>] = [:]

    var isEmpty: Bool { self.calls.isEmpty }
    var count: Int { self.calls.count }
    /// Places in the order, with those of calls that were taken out and not swept yet.
    var remembered: Int { self.order.count }

    var first: WaitingCall<Waiter>? {
        mutating get {
            while let token = self.order.first {
                if let call = self.calls[token] { return call }
                self.order.removeFirst()
            }
            return nil
        }
    }

    mutating func append(_ call: WaitingCall<Waiter>) {
        self.order.append(call.token)
        self.calls[call.token] = call
    }

    mutating func prepend(_ call: WaitingCall<Waiter>) {
        self.order.prepend(call.token)
        self.calls[call.token] = call
    }

    mutating func popFirst() -> WaitingCall<Waiter>? {
        while let token = self.order.popFirst() {
            if let call = self.calls.removeValue(forKey: token) { return call }
        }
        return nil
    }

    mutating func remove(_ token: CallToken) -> WaitingCall<Waiter>? {
        guard let call = self.calls.removeValue(forKey: token) else { return nil }
        // Tokens left behind may not outnumber the calls by much, or a stuck head would let them pile up.
        if self.order.count > 2 * self.calls.count + 64 {
            self.order.removeAll { self.calls[$0] == nil }
        }
        return call
    }

    /// Takes out every call whose deadline has passed, in order. Linear in the number that wait.
    mutating func removeExpired(at now: Instant) -> [WaitingCall<Waiter>] {
        guard self.calls.values.contains(where: { $0.deadline <= now }) else { return [] }
        var expired: [WaitingCall<Waiter>] = []
        for token in self.order {
            guard let call = self.calls[token], call.deadline <= now else { continue }
            expired.append(call)
            self.calls.removeValue(forKey: token)
        }
        return expired
    }

    mutating func removeAll() -> [WaitingCall<Waiter>] {
        let all = self.order.compactMap { self.calls[$0] }
        self.order.removeAll()
        self.calls.removeAll()
        return all
    }
}

extension InFlightCall: Sendable where Waiter: Sendable {}
extension WaitingCall: Sendable where Waiter: Sendable {}
extension WaitingQueue: Sendable where Waiter: Sendable {}
