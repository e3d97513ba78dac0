import NIOCore
import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

// What the client gets: an upstream's response, an answer of the proxy's own, the end of the connection.

extension ClientConnection {
    /// Puts a response's head in front of what is written next.
    func stage(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, _ delivery: ResponseDelivery, at now: Instant) {
        let date = self.worker.date(at: now)
        let filter = self.worker.plan.responseFilter
        self.port.staged.clear()
        self.port.staged.writeHead(estimate: bytes.count + 256) { filter.write(head, bytes, delivery, date: date, to: &$0) }
    }

    /// Invites the body of a client that waits for it (RFC 9110 §10.1.1).
    func sendContinue() {
        self.port.stage(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
        self.port.flush()
    }

    /// Answers in the upstream's place.
    func answer(status: Int, keepsConnection: Bool, isAnswerToHead: Bool) {
        guard self.port.context != nil, !self.phase.isClosing else { return }
        let now = self.worker.now()
        self.port.staged.clear()
        LocalAnswer.write(
            status: status, keepsConnection: keepsConnection, isAnswerToHead: isAnswerToHead,
            server: self.worker.plan.configuration.forwarding.serverHeader, date: self.worker.date(at: now), to: &self.port.staged)
        guard keepsConnection else {
            self.exchange = nil
            return self.closeAfterWriting(lingers: true, at: now)
        }
        self.port.flush()
        self.finishExchange(keepsConnection: true, headStorage: nil, requestIsWhole: true, at: now)
    }

    /// Answers with what the configuration says.
    func answer(_ answer: FilledAnswer, keepsConnection: Bool, isAnswerToHead: Bool) {
        guard self.port.context != nil, !self.phase.isClosing else { return }
        let now = self.worker.now()
        let (server, date) = (self.worker.plan.configuration.forwarding.serverHeader, self.worker.date(at: now))
        self.port.staged.clear()
        self.port.staged.writeHead(estimate: 512 + (answer.body?.count ?? 0)) {
            answer.write(keepsConnection: keepsConnection, isAnswerToHead: isAnswerToHead, server: server, date: date, to: &$0)
        }
        guard keepsConnection else { return self.closeAfterWriting(lingers: true, at: now) }
        self.port.flush()
        self.finishExchange(keepsConnection: true, headStorage: nil, requestIsWhole: true, at: now)
    }

    /// The response is written; what comes next on this connection, if anything.
    func finishExchange(keepsConnection: Bool, headStorage: ByteBuffer?, requestIsWhole: Bool, at now: Instant) {
        self.exchange = nil
        guard self.port.context != nil, self.phase.isExchanging else { return }
        if let headStorage { self.headStorage = headStorage }
        guard keepsConnection else {
            return self.closeAfterWriting(lingers: !requestIsWhole || self.port.inbox.readableBytes > 0, at: now)
        }
        self.phase = .awaitingHead
        self.parser.reset()
        self.receiveDeadline = now.advanced(nanoseconds: self.worker.isDraining ? self.times.shutdownIdle : self.times.clientIdle)
        self.isIdle = true
        self.updateReading()
        self.advance()
    }

    /// The response cannot be brought to its end, and the client must not take what it has for all of it.
    ///
    /// - Parameter resets: whether the end of the connection would look like the end of the body.
    func abort(resets: Bool) {
        guard let context = self.port.context else { return }
        self.exchange = nil
        self.phase = .closing
        if resets, let provider = context.channel as? any SocketOptionProvider {
            _ = provider.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        } else {
            // The client gets what there is, so that it can see where it breaks off.
            self.port.flush()
        }
        self.close()
    }

    private func closeAfterWriting(lingers: Bool, at now: Instant) {
        guard let context = self.port.context else { return }
        self.phase = .closing
        let written = context.eventLoop.makePromise(of: Void.self)
        self.port.inbox = ByteBuffer()
        self.port.sendStaged(written)
        self.port.expectSending(at: now, patience: self.times.clientSend)
        self.updateReading()
        written.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success where lingers: self.drainInput()
            case .success, .failure: self.close()
            }
        }
    }

    private func drainInput() {
        guard let context = self.port.context else { return }
        self.phase = .lingering
        self.port.sendingEnded()
        self.receiveDeadline = self.worker.now().advanced(nanoseconds: self.times.lingering)
        context.close(mode: .output, promise: nil)
    }
}
