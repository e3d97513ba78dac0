/// A connection that has switched protocols, as far as its end is concerned: each side ends when it wants to, and the whole with the
/// second of them. A value without I/O.
struct Tunnel: Sendable {
    enum Side: Sendable {
        case client
        case upstream
    }

    enum Effect: Equatable, Sendable {
        /// The other side is told that no more will come; what it still sends goes on.
        case endOutput
        case finish
        /// The side had ended already.
        case nothing
    }

    private var clientHasEnded = false
    private var upstreamHasEnded = false

    /// A side sends no more.
    mutating func ended(_ side: Side) -> Effect {
        switch side {
        case .client:
            guard !self.clientHasEnded else { return .nothing }
            self.clientHasEnded = true
        case .upstream:
            guard !self.upstreamHasEnded else { return .nothing }
            self.upstreamHasEnded = true
        }
        return self.clientHasEnded && self.upstreamHasEnded ? .finish : .endOutput
    }
}
