import BalancerKit
import NIOCore
import ScaleCore

// The way of a response back to the client.

extension Exchange {
    /// Whether the response has somewhere to go.
    var clientIsWritable: Bool { self.client.port.isWritable }

    /// A final response head has come. False when it goes no further, and another upstream is asked.
    func deliver(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let now = self.worker.now()
        if let next, next.goesOn(after: head.status, at: now) {
            self.failed(.status(head.status), hasAnswered: true)
            return false
        }
        if head.status == 101 { return self.switchProtocols(head, bytes, at: now) }
        self.state = .relaying
        self.status = head.status
        let framing: BodyFraming =
            switch head.framing {
            case .none, .length: head.framing
            case .chunked, .untilClose: self.isClientHTTP11 ? .chunked : .untilClose
            }
        // A client whose body is not wanted any more would have to be read to its end first; ending the connection is shorter.
        let keepsConnection =
            self.body.isFinished && framing != .untilClose && self.client.mayPersist(self.clientPersists, at: now)
        self.delivery = ResponseDelivery(framing: framing, keepsConnection: keepsConnection, fields: self.bindingLine)
        self.client.stage(head, bytes, self.delivery, at: now)
        return true
    }

    /// Body data of the response, and the head before it.
    func deliver(_ ranges: [Range<Int>], of buffer: ByteBuffer, isEnd: Bool) {
        if self.record != nil { for range in ranges { self.sentBytes += range.count } }
        self.client.port.write(ranges, of: buffer, isEnd: isEnd, as: BodyWriter(isChunked: self.delivery.framing == .chunked))
    }

    /// The response is whole.
    ///
    /// - Parameter keepsUpstream: whether the upstream's side of the connection is fit for another request.
    func delivered(keepsUpstream: Bool) {
        guard !self.state.isFinished else { return }
        self.state = .finished
        let now = self.worker.now()
        let requestIsWhole = self.body.isFinished
        let upstream = self.upstream
        self.upstream = nil
        let endpoint = self.endpointForRecord
        self.report(.success, at: now)
        self.client.port.flush()
        self.finish(status: self.status, endpoint: endpoint, at: now)
        if keepsUpstream, requestIsWhole {
            upstream?.keep(at: now)
        } else {
            upstream?.abandon()
        }
        self.client.finishExchange(
            keepsConnection: self.delivery.keepsConnection, headStorage: self.takeHead(), requestIsWhole: requestIsWhole, at: now)
    }

    /// The upstream broke off in the middle of the response.
    func lost() {
        guard !self.state.isFinished else { return }
        self.state = .finished
        let now = self.worker.now()
        let endpoint = self.selection?.endpoint
        if let endpoint { self.worker.log.lost(endpoint) }
        self.detachUpstream()
        // As nginx counts it: the endpoint did answer.
        self.report(.success, at: now)
        self.worker.tally.lost()
        self.finish(status: self.status, endpoint: endpoint, at: now)
        self.client.abort(resets: self.delivery.framing == .untilClose)
    }

    /// The upstream did not go on in time.
    func upstreamTimedOut(hasAnswered: Bool) {
        guard self.tunnel == nil else { return self.finishTunnel() }
        if self.state.isUnanswered {
            self.failed(.timeout, hasAnswered: hasAnswered)
        } else {
            self.lost()
        }
    }

    /// Flushes what was relayed in this turn of the loop.
    func flushClient() { self.client.port.flush() }

    /// The client has room again.
    func clientTakesMore() { self.upstream?.updateReading() }

    /// The upstream has room again.
    func upstreamTakesMore() { self.client.updateReading() }

    /// The storage of the head that went upstream, for the next one.
    private func takeHead() -> ByteBuffer {
        let head = self.head
        self.head = ByteBuffer()
        return head
    }
}
