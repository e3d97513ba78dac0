public import BalancerKit
public import ScaleCore
public import ScaleTesting

/// Endpoints that exist only in a test: they answer after a latency on the test's time, refuse, fail as planned, and record what they saw.
///
/// ```swift
/// let servers = VirtualEndpoints(time: time.source)
/// servers.refuse("10.0.0.1:8001")
/// servers.faults.failNext(with: VirtualCallError.connectionLost)
/// let reply = try await balancer.withEndpoint { try await servers.call($0) }
/// #expect(servers.facts.all == [.refused("10.0.0.1:8001"), …])
/// ```
public final class VirtualEndpoints: Sendable {
    private struct State {
        var refusing: Set<Endpoint.Address> = []
        var latencies: [Endpoint.Address: Duration] = [:]
        var active: [Endpoint.Address: Int] = [:]
        var peaks: [Endpoint.Address: Int] = [:]
    }

    /// What the endpoints saw, in order.
    public let facts = RecordedFacts<VirtualEndpointFact>()

    /// Faults to come, by endpoint: a failure throws before the endpoint does anything, a lost reply after it.
    public let faults = FaultScript<Endpoint>()

    private let time: TimeSource
    private let state = Locked(State())

    /// - Parameter time: where latencies pass; give it a `ManualTime`'s.
    public init(time: TimeSource = .system) {
        self.time = time
    }

    /// Makes an endpoint refuse connections until ``accept(_:)``.
    public func refuse(_ endpoint: Endpoint) {
        self.state.withLock { _ = $0.refusing.insert(endpoint.address) }
    }

    /// Makes an endpoint accept connections again.
    public func accept(_ endpoint: Endpoint) {
        self.state.withLock { _ = $0.refusing.remove(endpoint.address) }
    }

    /// Sets how long an endpoint takes to answer; zero, as all do at first, answers at once.
    public func setLatency(_ latency: Duration, of endpoint: Endpoint) {
        self.state.withLock { $0.latencies[endpoint.address] = latency }
    }

    /// Calls an endpoint: what a client does inside `withEndpoint`.
    ///
    /// - Returns: the endpoint that answered.
    /// - Throws: ``VirtualCallError/refused``, the planned fault's error, `CancellationError`.
    @discardableResult
    public func call(_ endpoint: Endpoint) async throws -> Endpoint {
        let (isRefusing, latency) = self.state.withLock { state in
            (state.refusing.contains(endpoint.address), state.latencies[endpoint.address] ?? .zero)
        }
        guard !isRefusing else {
            self.facts.record(.refused(endpoint.address))
            throw VirtualCallError.refused
        }
        self.enter(endpoint.address)
        defer { self.leave(endpoint.address) }
        do {
            try await self.faults.perform(endpoint) {
                if latency > .zero { try await self.time.sleep(for: latency) }
            }
        } catch {
            self.facts.record(error is CancellationError ? .cancelled(endpoint.address) : .failed(endpoint.address))
            throw error
        }
        self.facts.record(.answered(endpoint.address))
        return endpoint
    }

    /// Calls that are inside an endpoint now.
    public func activeCalls(of endpoint: Endpoint) -> Int {
        self.state.withLock { $0.active[endpoint.address] ?? 0 }
    }

    /// The most calls that were inside an endpoint at the same time.
    public func peakCalls(of endpoint: Endpoint) -> Int {
        self.state.withLock { $0.peaks[endpoint.address] ?? 0 }
    }

    /// How many calls an endpoint has answered.
    public func answers(of endpoint: Endpoint) -> Int {
        self.facts.all.count { $0 == .answered(endpoint.address) }
    }

    private func enter(_ address: Endpoint.Address) {
        self.facts.record(.arrived(address))
        self.state.withLock { state in
            let active = (state.active[address] ?? 0) + 1
            state.active[address] = active
            state.peaks[address] = max(state.peaks[address] ?? 0, active)
        }
    }

    private func leave(_ address: Endpoint.Address) {
        self.state.withLock { $0.active[address, default: 0] -= 1 }
    }
}

/// Something that a virtual endpoint saw.
public enum VirtualEndpointFact: Hashable, Sendable {
    /// It refused a connection.
    case refused(Endpoint.Address)
    /// A call got in.
    case arrived(Endpoint.Address)
    /// It answered.
    case answered(Endpoint.Address)
    /// A planned fault struck.
    case failed(Endpoint.Address)
    /// The caller gave up.
    case cancelled(Endpoint.Address)
}

/// How a call to a virtual endpoint fails; tells the balancer how far it got.
public struct VirtualCallError: CallFailureError, Hashable, CustomStringConvertible {
    private enum Kind: String, Sendable { case refused, connectionLost, responseCut }

    private let kind: Kind

    /// No connection: the request was not sent.
    public static let refused = VirtualCallError(kind: .refused)
    /// The connection was lost after the request was sent and before a response began.
    public static let connectionLost = VirtualCallError(kind: .connectionLost)
    /// The response broke off after part of it was delivered.
    public static let responseCut = VirtualCallError(kind: .responseCut)

    public var callFailure: CallFailure {
        switch self.kind {
        case .refused: CallFailure(.notSent)
        case .connectionLost: CallFailure(.sent)
        case .responseCut: CallFailure(.responseStarted)
        }
    }

    public var description: String { self.kind.rawValue }
}
