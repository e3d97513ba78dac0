import NIOCore
import ScaleCore

// What a client is waited for, and what becomes of it when the time is over.

extension ClientConnection {
    var nextDeadline: Instant { min(self.receiveDeadline, self.port.sendDeadline) }

    func deadlinePassed(at now: Instant) {
        switch self.phase {
        case .awaitingHead, .exchanging, .closing:
            if self.port.hasStalled(at: now, patience: self.times.clientSend) {
                self.worker.log.timedOut("response", client: self.address)
                return self.close()
            }
            if self.receiveDeadline <= now { self.receiveTimedOut(at: now) }
        case .lingering, .closed: self.close()
        }
    }

    private func receiveTimedOut(at now: Instant) {
        switch self.phase {
        case .awaitingHead:
            // Nobody waits for an answer when nothing was asked.
            guard self.parser.hasBegun(received: self.port.inbox.readableBytes) else { return self.close() }
            self.worker.log.timedOut("request head", client: self.address)
            self.worker.tally.rejected(status: 408)
            self.noteUnreadable(status: 408)
            self.answer(status: 408, keepsConnection: false, isAnswerToHead: false)
        case .exchanging where self.delayed != nil: self.delayPassed(at: now)
        case .exchanging:
            guard let exchange, exchange.wantsBody, exchange.acceptsBody else {
                // The body is held back by the upstream, not by the client.
                self.receiveDeadline = now.advanced(nanoseconds: self.times.clientBody)
                return
            }
            self.worker.log.timedOut("request body", client: self.address)
            exchange.bodyTimedOut()
        case .closing: self.receiveDeadline = .distantFuture
        case .lingering, .closed: self.close()
        }
    }

    /// A graceful shutdown has begun: an idle connection may wait until `deadline` for one more request.
    func drain(until deadline: Instant) {
        guard self.phase.isAwaitingHead, self.port.inbox.readableBytes == 0 else { return }
        self.receiveDeadline = min(self.receiveDeadline, deadline)
    }
}
