import NIOCore
import NIOSSL
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
        var modified: Int64?
        if let additions, additions.asksForModification {
            modified = head.fields.first("last-modified", bytes).flatMap { HTTPDate.seconds(Array(bytes[$0])) }
        }
        let changes = self.changes(status: head.status, modified: modified, at: now)
        self.port.staged.clear()
        self.port.staged.writeHead(estimate: bytes.count + 256) {
            filter.write(head, bytes, delivery, date: date, changes: changes, to: &$0)
        }
    }

    /// Invites the body of a client that waits for it (RFC 9110 §10.1.1).
    func sendContinue() {
        self.port.stage(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
        self.port.flush()
    }

    /// Answers in the upstream's place.
    ///
    /// - Parameters:
    ///   - fields: lines of the answer's own, with their ends.
    ///   - changes: what it gets; nil is what its status tells.
    func answer(status: Int, keepsConnection: Bool, isAnswerToHead: Bool, fields: [UInt8] = [], changes: ResponseChanges? = nil) {
        guard self.port.context != nil, !self.phase.isClosing else { return }
        let now = self.worker.now()
        let changes = changes ?? self.changes(status: status, at: now)
        self.port.staged.clear()
        LocalAnswer.write(
            status: status, keepsConnection: keepsConnection, isAnswerToHead: isAnswerToHead,
            server: self.worker.plan.configuration.forwarding.serverHeader, date: self.worker.date(at: now), fields: fields,
            additions: changes?.lines ?? [], to: &self.port.staged)
        guard keepsConnection else {
            self.exchange = nil
            self.transfer = nil
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
        let additions = self.changes(status: answer.status, at: now)?.lines ?? []
        self.port.staged.clear()
        self.port.staged.writeHead(estimate: 512 + (answer.body?.count ?? 0)) {
            answer.write(
                keepsConnection: keepsConnection, isAnswerToHead: isAnswerToHead, server: server, date: date, additions: additions, to: &$0)
        }
        guard keepsConnection else { return self.closeAfterWriting(lingers: true, at: now) }
        self.port.flush()
        self.finishExchange(keepsConnection: true, headStorage: nil, requestIsWhole: true, at: now)
    }

    /// The response is written; what comes next on this connection, if anything.
    func finishExchange(keepsConnection: Bool, headStorage: ByteBuffer?, requestIsWhole: Bool, at now: Instant) {
        self.exchange = nil
        self.transfer = nil
        guard self.port.context != nil, self.phase.isExchanging else { return }
        if let headStorage { self.headStorage = headStorage }
        guard keepsConnection else {
            return self.closeAfterWriting(lingers: !requestIsWhole || self.port.inbox.readableBytes > 0, at: now)
        }
        self.lease?.release()
        self.lease = nil
        self.phase = .awaitingHead
        self.additions = nil
        self.isRouted = false
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
        self.transfer = nil
        self.phase = .closing
        if resets, let provider = context.channel as? any SocketOptionProvider {
            _ = provider.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            // Past TLS, whose goodbye would say that this was all.
            if let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
                return tls.close(promise: nil)
            }
        } else {
            // The client gets what there is, so that it can see where it breaks off.
            self.port.flush()
        }
        self.close()
    }

    /// The connection has switched protocols: from now on its two directions end one by one.
    func beginTunnel() {
        self.receiveDeadline = .distantFuture
        self.port.separateDirections()
        guard let exchange, self.port.inbox.readableBytes > 0 else { return }
        var bytes = self.port.inbox
        self.port.inbox = ByteBuffer()
        exchange.receive(&bytes)
    }

    /// Both directions of a tunnel have ended, or one for both.
    func endTunnel(at now: Instant) {
        self.exchange = nil
        guard self.phase.isExchanging else { return }
        self.closeAfterWriting(lingers: false, at: now)
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
