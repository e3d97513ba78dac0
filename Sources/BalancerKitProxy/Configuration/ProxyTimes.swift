import ScaleCore

/// The configured times in nanoseconds, so that moving a deadline, which every read does, is one addition.
struct ProxyTimes: Sendable {
    let clientHead: Int64
    /// For TLS' handshake, where there is TLS.
    let handshake: Int64?
    let clientBody: Int64
    let clientSend: Int64
    let clientIdle: Int64
    let clientAge: Int64
    let upstreamConnect: Int64
    let upstreamRead: Int64
    let upstreamSend: Int64
    let lingering: Int64
    let shutdownIdle: Int64

    init(_ timeouts: ProxyTimeouts, _ keepAlive: ClientKeepAlive, _ tls: ProxyTLS?) {
        self.handshake = tls?.handshakeTimeout.wholeNanoseconds
        self.clientHead = timeouts.clientHead.wholeNanoseconds
        self.clientBody = timeouts.clientBody.wholeNanoseconds
        self.clientSend = timeouts.clientSend.wholeNanoseconds
        self.clientIdle = keepAlive.idle.wholeNanoseconds
        self.clientAge = keepAlive.time.wholeNanoseconds
        self.upstreamConnect = timeouts.upstreamConnect.wholeNanoseconds
        self.upstreamRead = timeouts.upstreamRead.wholeNanoseconds
        self.upstreamSend = timeouts.upstreamSend.wholeNanoseconds
        self.lingering = timeouts.lingering.wholeNanoseconds
        self.shutdownIdle = timeouts.shutdownIdle.wholeNanoseconds
    }
}

extension Instant {
    /// The instant so many nanoseconds later; saturates as ``advanced(by:)`` does.
    @inline(__always) func advanced(nanoseconds: Int64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? (nanoseconds < 0 ? Instant(nanoseconds: .min) : .distantFuture) : Instant(nanoseconds: sum)
    }

    /// Nanoseconds from this instant to a later one of the same time source.
    @inline(__always) func nanoseconds(to other: Instant) -> Int64 {
        let (difference, overflow) = other.nanoseconds.subtractingReportingOverflow(self.nanoseconds)
        return overflow ? .max : difference
    }
}
