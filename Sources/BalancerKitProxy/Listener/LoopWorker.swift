import BalancerKit
import NIOCore
import NIOPosix
import ScaleCore

/// Everything that an event loop has for itself: its clients' connections, its idle upstream connections, its timer, its counts.
///
/// A request never leaves its loop, so nothing here is locked; only the balancer's value is shared.
final class LoopWorker {
    let eventLoop: any EventLoop
    let plan: ProxyPlan
    var log: ProxyLog { self.plan.log }
    var tally: ProxyTally
    /// No new requests: every response says that it is the last on its connection.
    private(set) var isDraining = false
    /// The very end: nothing is kept any more.
    private(set) var isStopping = false

    private var clients = LoopRegistry<ClientConnection>()
    private var upstreams = LoopRegistry<UpstreamConnection>()
    private var idle: [IdleConnections<EndpointID, UpstreamConnection>]
    private var timer: RepeatedTask?
    private var drained: EventLoopPromise<Void>?
    private var dateBytes: [UInt8] = []
    private var dateSecond: Int64 = 0
    /// Until when the date holds.
    private var dateEnd = Instant(nanoseconds: .min)

    init(_ plan: ProxyPlan, on eventLoop: any EventLoop) {
        self.plan = plan
        self.eventLoop = eventLoop
        self.tally = ProxyTally(plan.metrics)
        self.idle = plan.groups.map { IdleConnections(capacity: $0.keepAlive.connections) }
    }

    func now() -> Instant { self.plan.time.now() }

    /// The present as a Date field's value; made once per second.
    func date(at now: Instant) -> [UInt8] {
        if now < self.dateEnd { return self.dateBytes }
        let time = self.plan.time.utcNow()
        let second: Int64 = 1_000_000_000
        let (_, remainder) = time.nanosecondsSinceEpoch.quotientAndRemainder(dividingBy: second)
        self.dateEnd = now.advanced(nanoseconds: remainder < 0 ? -remainder : second - remainder)
        self.dateSecond = HTTPDate.second(of: time)
        self.dateBytes = HTTPDate.bytes(ofSecond: self.dateSecond)
        return self.dateBytes
    }

    /// The second that ``date(at:)`` tells.
    func second(at now: Instant) -> Int64 {
        _ = self.date(at: now)
        return self.dateSecond
    }

    // MARK: Time

    func startTimer() {
        let interval = TimeAmount.nanoseconds(self.plan.configuration.timeouts.resolution.wholeNanoseconds)
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.timer = self.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in bound.value.tick() }
    }

    /// Looks for deadlines that have passed.
    func tick() {
        let now = self.now()
        for connection in self.clients.due(at: now) { connection.deadlinePassed(at: now) }
        for connection in self.upstreams.due(at: now) { connection.deadlinePassed(at: now) }
        self.tally.flush()
    }

    // MARK: Clients

    func opened(_ client: ClientConnection) {
        self.clients.insert(client)
        self.tally.opened += 1
        if self.isDraining { client.drain(until: self.idleDrainDeadline) }
    }

    func closed(_ client: ClientConnection) {
        self.clients.remove(client)
        self.tally.closed += 1
        self.endDrainWhenEmpty()
    }

    // MARK: Upstreams

    func opened(_ upstream: UpstreamConnection) {
        self.upstreams.insert(upstream)
    }

    func closed(_ upstream: UpstreamConnection) {
        self.upstreams.remove(upstream)
    }

    /// An idle connection to the endpoint, fit for a request.
    func takeIdle(_ group: UpstreamGroup, _ endpoint: EndpointID) -> UpstreamConnection? {
        while let connection = self.idle[group.index].take(endpoint) {
            if connection.isActive { return connection }
        }
        return nil
    }

    func keepIdle(_ connection: UpstreamConnection) {
        self.idle[connection.group.index].put(connection, connection.endpoint)?.close()
    }

    func forgetIdle(_ connection: UpstreamConnection) {
        self.idle[connection.group.index].remove(connection, connection.endpoint)
    }

    /// Opens a connection on this loop.
    func connect(
        _ group: UpstreamGroup, _ selection: Selection, _ completion: @escaping (Result<UpstreamConnection, any Error>) -> Void
    ) {
        self.tally.connects += 1
        let connection = UpstreamConnection(self, to: group, selection.id, at: self.now())
        let bound = NIOLoopBound(connection, eventLoop: self.eventLoop)
        let bootstrap = ClientBootstrap(group: self.eventLoop)
            .connectTimeout(.nanoseconds(self.plan.times.upstreamConnect))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
            }
        bootstrap.connect(to: selection.endpoint.address).hop(to: self.eventLoop).assumeIsolated().whenComplete { result in
            completion(result.map { _ in connection })
        }
    }
}

extension ClientBootstrap {
    /// Connects without a resolver where the host is an IP address.
    fileprivate func connect(to address: Endpoint.Address) -> EventLoopFuture<any Channel> {
        switch address {
        case .unix(let path): return self.connect(unixDomainSocketPath: path)
        case .host(let host, let port):
            let bootstrap = self.channelOption(.tcpOption(.tcp_nodelay), value: 1)
            return if let address = try? SocketAddress(ipAddress: host, port: port) {
                bootstrap.connect(to: address)
            } else {
                bootstrap.connect(host: host, port: port)
            }
        }
    }
}

// MARK: - The end

extension LoopWorker {
    private var idleDrainDeadline: Instant { self.now().advanced(nanoseconds: self.plan.times.shutdownIdle) }

    /// Lets the requests in flight finish; the future succeeds when the last client has gone.
    func drain() -> EventLoopFuture<Void> {
        self.isDraining = true
        let promise = self.drained ?? self.eventLoop.makePromise(of: Void.self)
        self.drained = promise
        let deadline = self.idleDrainDeadline
        for client in self.clients.connections { client.drain(until: deadline) }
        self.endDrainWhenEmpty()
        return promise.futureResult
    }

    private func endDrainWhenEmpty() {
        guard self.isDraining, self.clients.connections.isEmpty else { return }
        self.drained?.succeed()
    }

    /// Closes every client's connection. Returns how many there were.
    func cutClients() -> Int {
        let clients = self.clients.connections
        for client in clients { client.close() }
        return clients.count
    }

    /// Closes what is left, after the clients have gone.
    func stop() {
        self.isDraining = true
        self.isStopping = true
        self.timer?.cancel()
        for upstream in self.upstreams.connections { upstream.close() }
        self.tally.flush()
        self.endDrainWhenEmpty()
    }
}
