import BalancerKit
import NIOCore
import ScaleCore

// After a 101: what was a request is a tunnel (RFC 9110 §7.8).

extension Exchange {
    /// The upstream answers with 101. False when that is not what was asked for.
    func switchProtocols(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, at now: Instant) -> Bool {
        guard let upgrade, let upstream, upgrade.isGranted(by: head, bytes) else {
            self.failed(.invalidHeader, hasAnswered: true)
            return false
        }
        self.state = .relaying
        self.status = head.status
        self.tunnel = Tunnel()
        self.body = BodyReader(.untilClose, limits: self.worker.plan.headLimits)
        self.bodyWriter = BodyWriter(isChunked: false)
        self.delivery = ResponseDelivery(framing: .untilClose, keepsConnection: false, isUpgrade: true, fields: self.bindingLine)
        self.client.stage(head, bytes, self.delivery, at: now)
        upstream.port.separateDirections()
        // What the client has sent behind its request belongs to the new protocol.
        self.client.beginTunnel()
        upstream.port.flush()
        self.client.updateReading()
        return true
    }

    /// One side of the tunnel sends no more.
    func ended(_ side: Tunnel.Side) {
        switch self.tunnel?.ended(side) {
        case .endOutput:
            switch side {
            case .client: self.upstream?.port.endOutput()
            case .upstream: self.client.port.endOutput()
            }
        case .finish: self.finishTunnel()
        case .nothing, nil: break
        }
    }

    /// Both sides have ended, or nothing has moved for too long.
    func finishTunnel() {
        guard !self.state.isFinished else { return }
        self.state = .finished
        let now = self.worker.now()
        let endpoint = self.endpointForRecord
        self.report(.success, at: now)
        self.finish(status: self.status, endpoint: endpoint, at: now)
        let upstream = self.upstream
        self.upstream = nil
        upstream?.closeAfterWriting(at: now)
        self.client.endTunnel(at: now)
    }

    /// The line that binds the client to the endpoint that answers, unless its cookie does so already.
    var bindingLine: [UInt8] {
        guard let sticky = self.group.sticky, let address = self.selection?.endpoint.address else { return [] }
        if let binding, binding.isCurrent, binding.address == address { return [] }
        return sticky.line(for: address)
    }
}
