import DequeModule
import NIOCore
import ScaleCore

extension ConnectionStateMachine {
    /// A reply and who waits for it.
    struct Delivery {
        let waiter: Waiter
        /// The reply; for a call that expects several, an array of them.
        let reply: RedisValue
    }

    /// What a read of replies has brought.
    struct Received {
        var turn = Turn()
        /// Replies counted off, whether anybody waited for them or not.
        var replies = 0
        /// From writing to the last reply, of the newest batch that became complete.
        var latency: Duration?
        /// Calls in flight after this read.
        var inFlight = 0
    }

    /// Gives replies to the calls in their order. `deliveries` gets those that somebody still waits for.
    mutating func received(
        _ replies: [RedisValue], epoch: UInt64, at now: Instant, using random: inout some RandomNumberGenerator,
        deliveries: inout [Delivery]
    ) -> Received {
        var received = Received()
        guard epoch == self.epoch else { return received }
        for reply in replies {
            switch self.phase {
            case .opening:
                received.turn = self.greeted(reply, at: now, using: &random)
                if received.turn.closesChannel { return received }
            case .ready, .draining:
                guard self.deliver(reply, at: now, received: &received, deliveries: &deliveries) else {
                    let fault = RedisError(code: .protocolViolation, message: "the server sent \(ReplyFault.unsolicited)")
                    let replies = received.replies
                    received = Received(turn: self.giveUp(fault, at: now, using: &random), replies: replies)
                    received.turn.closesChannel = true
                    return received
                }
            case .disconnected, .refused, .closed:
                return received
            }
        }
        received.inFlight = self.inFlight.count
        self.answered += deliveries.count
        self.lastActivity = now
        self.finishRead(&received)
        return received
    }

    /// One reply to the greeting.
    private mutating func greeted(_ reply: RedisValue, at now: Instant, using random: inout some RandomNumberGenerator) -> Turn {
        switch self.opening.greeted(reply) {
        case .unfinished:
            return Turn()
        case .open:
            self.phase = .ready
            self.hasBeenReady = true
            self.lastActivity = now
            return self.promote() ? Turn(action: .wake) : Turn()
        case .failed(let error):
            var turn = self.giveUp(error, at: now, using: &random)
            turn.closesChannel = true
            return turn
        case .refused(let error):
            return self.refuse(error, at: now)
        }
    }

    /// Gives one reply to the first call in flight; false when there is none that was written.
    @inline(__always)
    private mutating func deliver(
        _ reply: RedisValue, at now: Instant, received: inout Received, deliveries: inout [Delivery]
    ) -> Bool {
        guard self.inFlight.count > self.unflushed, let call = self.inFlight.first else { return false }
        received.replies += 1
        if call.replyCount == 1 {
            if let waiter = call.waiter { deliveries.append(Delivery(waiter: waiter, reply: reply)) }
        } else {
            self.partial.append(reply)
            guard self.partial.count == call.replyCount else { return true }
            let replies = self.partial
            self.partial = []
            if let waiter = call.waiter { deliveries.append(Delivery(waiter: waiter, reply: .array(replies))) }
        }
        self.inFlight.removeFirst()
        self.inFlightReplies -= call.replyCount
        if let batch = self.batches.first {
            if batch.calls > 1 {
                self.batches[self.batches.startIndex].calls -= 1
            } else {
                self.batches.removeFirst()
                received.latency = batch.at.duration(to: now)
            }
        }
        return true
    }

    /// After the last reply of a read: room for those who wait, or the end of a shutdown.
    private mutating func finishRead(_ received: inout Received) {
        switch self.phase {
        case .ready:
            if received.replies > 0 { self.opening.succeeded() }
            if self.inFlight.isEmpty { self.patience = .zero }
            if !self.waiting.isEmpty, self.promote() { received.turn.action = .wake }
        case .draining:
            if !self.waiting.isEmpty, self.promote() { received.turn.action = .wake }
            if self.inFlight.isEmpty { received.turn = self.finish(Self.shutDownError) }
        case .disconnected, .opening, .refused, .closed:
            break
        }
    }
}

extension ConnectionStateMachine.Delivery: Sendable where Waiter: Sendable {}
extension ConnectionStateMachine.Received: Sendable where Waiter: Sendable {}
