import Metrics

/// The proxy's metrics.
struct ProxyMetrics: Sendable {
    /// `proxy.requests` by class of status: 1xx…5xx, and `499` for clients that left before their response was whole.
    private let requests: [Counter]
    private let clientGone: Counter
    /// `proxy.upstream.retries`: attempts after the first.
    private let retries: Counter
    /// `proxy.upstream.connects`: connections opened.
    private let connects: Counter
    /// `proxy.responses.lost`: responses that an upstream broke off.
    private let lost: Counter
    /// `proxy.connections.active`: clients' connections.
    private let active: Meter
    /// `http.server.request.duration`: from the end of the request's head to the end of its response.
    private let duration: Timer

    init(_ factory: any MetricsFactory) {
        self.requests = (1...5).map {
            Counter(label: "proxy.requests", dimensions: [("status", "\($0)xx")], factory: factory)
        }
        self.clientGone = Counter(label: "proxy.requests", dimensions: [("status", "499")], factory: factory)
        self.retries = Counter(label: "proxy.upstream.retries", factory: factory)
        self.connects = Counter(label: "proxy.upstream.connects", factory: factory)
        self.lost = Counter(label: "proxy.responses.lost", factory: factory)
        self.active = Meter(label: "proxy.connections.active", factory: factory)
        self.duration = Timer(label: "http.server.request.duration", factory: factory)
    }

    func record(nanoseconds: Int64) {
        self.duration.recordNanoseconds(nanoseconds)
    }

    /// Adds what an event loop has counted since the last time.
    func add(_ tally: ProxyTally) {
        for (counter, count) in zip(self.requests, tally.byClass) where count > 0 { counter.increment(by: count) }
        if tally.gone > 0 { self.clientGone.increment(by: tally.gone) }
        if tally.retries > 0 { self.retries.increment(by: tally.retries) }
        if tally.connects > 0 { self.connects.increment(by: tally.connects) }
        if tally.lostResponses > 0 { self.lost.increment(by: tally.lostResponses) }
        // Two steps, since a meter takes no negative one.
        if tally.opened > tally.closed { self.active.increment(by: Double(tally.opened - tally.closed)) }
        if tally.closed > tally.opened { self.active.decrement(by: Double(tally.closed - tally.opened)) }
    }
}

/// What an event loop has counted. Counting is an addition; the metrics system hears of it when the loop's timer strikes.
struct ProxyTally {
    fileprivate(set) var byClass = [0, 0, 0, 0, 0]
    fileprivate(set) var gone = 0
    fileprivate(set) var lostResponses = 0
    var retries = 0
    var connects = 0
    var opened = 0
    var closed = 0
    private let metrics: ProxyMetrics

    init(_ metrics: ProxyMetrics) {
        self.metrics = metrics
    }

    mutating func finished(status: Int, after nanoseconds: Int64) {
        self.rejected(status: status)
        self.metrics.record(nanoseconds: nanoseconds)
    }

    /// A request that was refused before it was one.
    mutating func rejected(status: Int) {
        let index = status / 100 - 1
        if self.byClass.indices.contains(index) { self.byClass[index] += 1 }
    }

    /// A response, counted by its status already, that an upstream broke off.
    mutating func lost() {
        self.lostResponses += 1
    }

    mutating func clientGone() {
        self.gone += 1
    }

    /// Hands over what was counted, and begins anew.
    mutating func flush() {
        self.metrics.add(self)
        self = ProxyTally(self.metrics)
    }
}
