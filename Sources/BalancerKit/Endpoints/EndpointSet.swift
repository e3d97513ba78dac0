public import ScaleCore

/// A balanced group of endpoints: who takes the next call, who is busy, who rests. A value without lock, task or clock.
///
/// One call goes: begin a ``CallHistory``, ``pick(_:at:)``, do the work, ``report(_:_:at:)`` exactly once for each selection, and pick again with the
/// same history to try another endpoint. Keep a set per event loop, or share one behind a lock, as ``Balancer`` does.
///
/// Backup endpoints are picked only while no other can be; a call that has gone over to them stays there. A set of a single endpoint never
/// lets it rest, since there is nobody else to ask. All of this is nginx's behaviour, in its order (`ngx_http_upstream_round_robin.c`).
///
/// A pick takes O(endpoints) and allocates nothing, unless the call has already tried some.
public struct EndpointSet: Sendable {
    private var candidates = Candidates()
    private var strategy: any BalancingStrategy
    /// Whether the strategy is nginx's round robin: whose turn it is is known here, and nothing has to be observed.
    private let isRoundRobin: Bool
    private var random: any RandomNumberGenerator & Sendable
    /// Endpoints that have left the set and still have calls in flight.
    private var leaving: [Member] = []
    private var nextID: UInt64 = 0
    /// A set of one endpoint, counting those that are down and backups.
    private var isAlone: Bool { self.candidates.members.count == 1 }

    /// Makes a set.
    ///
    /// - Parameters:
    ///   - endpoints: at least one, each address once.
    ///   - random: where strategies that choose by chance take it from; a seeded generator makes them repeatable.
    /// - Throws: `BalancerError` with the code `invalidEndpoint` or `invalidConfiguration`.
    public init(
        _ endpoints: [Endpoint], strategy: some BalancingStrategy = .roundRobin,
        random: some RandomNumberGenerator & Sendable = FastRandom()
    ) throws(BalancerError) {
        self.strategy = strategy
        self.isRoundRobin = strategy is RoundRobin
        self.random = random
        try self.update(endpoints)
    }

    // MARK: Calls

    /// Picks an endpoint for an attempt of the call that `history` belongs to, and counts the attempt as in flight until it is reported.
    public mutating func pick(_ history: inout CallHistory, at now: Instant) -> Pick {
        let second = now.wholeSecond
        self.collect(&history, at: second)
        guard self.candidates.count > 0, let index = self.choose() else { return .unavailable }
        return self.select(index, &history, at: now)
    }

    private mutating func select(_ index: Int, _ history: inout CallHistory, at now: Instant) -> Pick {
        let probe = self.candidates.members[index].pick(at: now.wholeSecond)
        let selection = Selection(member: self.candidates.members[index], index: index, probe: probe, startedAt: now)
        history.insert(selection.id, index: index)
        return .endpoint(selection)
    }

    /// Picks the endpoint at `address` for an attempt, if it is one of the set that can take it, and else whom the strategy chooses.
    ///
    /// A client that is bound to an endpoint counts as the endpoint's turn in the round robin, as far as that does not put it back by more
    /// than one round (nginx's rule for `sticky`). A backup endpoint is taken only while no other can be.
    public mutating func pick(_ history: inout CallHistory, preferring address: Endpoint.Address?, at now: Instant) -> Pick {
        guard let address else { return self.pick(&history, at: now) }
        let second = now.wholeSecond
        self.collect(&history, at: second)
        guard let index = self.candidates.takeTurn(of: address) else { return self.pick(&history, at: now) }
        return self.select(index, &history, at: now)
    }

    /// Ends an attempt: it is no longer in flight, and its outcome counts for the endpoint's health.
    ///
    /// An endpoint that has left the set meanwhile is forgotten with its last call.
    ///
    /// - Returns: what the outcome changed for the endpoint, if anything; worth a line in the log.
    @discardableResult
    public mutating func report(_ selection: Selection, _ outcome: CallOutcome, at now: Instant) -> HealthChange? {
        if !self.isRoundRobin {
            self.strategy.observe(
                CallObservation(id: selection.id, outcome: outcome, duration: selection.startedAt.duration(to: now), at: now))
        }
        if let index = self.index(of: selection.id, hint: selection.index) {
            return self.candidates.members[index].end(selection, outcome, at: now.wholeSecond, isAlone: self.isAlone)
        }
        if let index = self.leaving.firstIndex(where: { $0.id == selection.id }) {
            _ = self.leaving[index].end(selection, outcome, at: now.wholeSecond, isAlone: false)
            if self.leaving[index].activeCalls == 0 { self.leaving.remove(at: index) }
        }
        return nil
    }

    private mutating func collect(_ history: inout CallHistory, at second: Int64) {
        if !self.isRoundRobin { self.candidates.key = history.key }
        self.mark(history, as: true)
        defer { self.mark(history, as: false) }
        if !history.usesBackups {
            self.candidates.collect(backups: false, at: second, isAlone: self.isAlone)
            guard self.candidates.count == 0 else { return }
            history.usesBackups = self.candidates.members.contains { $0.endpoint.isBackup }
        }
        self.candidates.collect(backups: true, at: second, isAlone: self.isAlone)
    }

    /// Asks the strategy; an answer that is no candidate falls back to whose turn it is.
    private mutating func choose() -> Int? {
        if self.candidates.count == 1 && self.isAlone { return self.candidates.index(at: 0) }
        if !self.isRoundRobin, let answer = self.strategy.pick(from: &self.candidates, random: &self.random),
            let index = self.candidates.index(at: answer)
        {
            return index
        }
        return self.candidates.takeTurn().flatMap { self.candidates.index(at: $0) }
    }

    private mutating func mark(_ history: CallHistory, as isTried: Bool) {
        history.forEach { entry in
            if let index = self.index(of: entry.id, hint: entry.index) { self.candidates.members[index].isTried = isTried }
        }
    }

    private func index(of id: EndpointID, hint: Int) -> Int? {
        if self.candidates.members.indices.contains(hint), self.candidates.members[hint].id == id { return hint }
        return self.candidates.members.firstIndex { $0.id == id }
    }
}

// MARK: - Endpoints come and go

extension EndpointSet {
    /// Replaces the endpoints. One whose address stays keeps what was counted; calls in flight to one that leaves go on.
    ///
    /// An endpoint that comes back while calls to it are still in flight is recognised, so its connection limit holds throughout.
    ///
    /// - Throws: `BalancerError` with the code `invalidEndpoint` or `invalidConfiguration`; the set is then as before.
    public mutating func update(_ endpoints: [Endpoint]) throws(BalancerError) {
        try Self.validate(endpoints)
        var known: [Endpoint.Address: Member] = [:]
        for member in self.candidates.members + self.leaving { known[member.endpoint.address] = member }
        let members = endpoints.map { endpoint in
            guard var member = known.removeValue(forKey: endpoint.address) else { return self.makeMember(endpoint) }
            member.update(endpoint)
            return member
        }
        self.leaving = known.values.filter { $0.activeCalls > 0 }.sorted { $0.id.number < $1.id.number }
        self.candidates.replaceMembers(members)
        self.strategy.endpointsChanged(members.map(\.id))
    }

    private mutating func makeMember(_ endpoint: Endpoint) -> Member {
        self.nextID &+= 1
        return Member(id: EndpointID(number: self.nextID), endpoint: endpoint)
    }

    private static func validate(_ endpoints: [Endpoint]) throws(BalancerError) {
        guard !endpoints.isEmpty else { throw .invalidConfiguration("endpoints", "a group needs at least one endpoint") }
        var addresses = Set<Endpoint.Address>()
        var weights = 0
        for endpoint in endpoints {
            try endpoint.validate()
            guard addresses.insert(endpoint.address).inserted else {
                throw .invalidEndpoint(endpoint.address, "the address is listed twice")
            }
            let (sum, overflow) = weights.addingReportingOverflow(endpoint.weight)
            guard !overflow, sum <= Int(Int32.max) else { throw .invalidConfiguration("weight", "the weights add up to 2^31 or more") }
            weights = sum
        }
    }
}

// MARK: - What is known

extension EndpointSet {
    /// What is known of each endpoint, in their order.
    public func status(at now: Instant) -> [EndpointStatus] {
        self.candidates.members.map { member in
            EndpointStatus(
                id: member.id, endpoint: member.endpoint, activeCalls: member.activeCalls, fails: member.health.fails,
                obstacle: member.obstacle(at: now.wholeSecond, isAlone: self.isAlone))
        }
    }

    /// Calls in flight to endpoints that have left the set.
    public var leavingCalls: Int { self.leaving.reduce(0) { $0 + $1.activeCalls } }

    /// The error for a call that got ``Pick/unavailable``: every endpoint with the reason why it was not picked.
    public func noLiveEndpoint(_ history: CallHistory, at now: Instant, place: String? = nil) -> BalancerError {
        var copy = self
        copy.mark(history, as: true)
        let unavailable = copy.status(at: now).compactMap { status in
            status.obstacle.map { UnavailableEndpoint(address: status.endpoint.address, reason: $0) }
        }
        return BalancerError(code: .noLiveEndpoint, message: "no endpoint can take the call", place: place, unavailable: unavailable)
    }
}

extension Endpoint {
    /// Throws when the endpoint's address or settings cannot be used.
    func validate() throws(BalancerError) {
        try self.address.validate()
        guard self.weight >= 1 else { throw .invalidEndpoint(self.address, "the weight must be at least 1") }
        guard self.maxFails >= 0 else { throw .invalidEndpoint(self.address, "maxFails must not be negative") }
        guard self.failTimeout >= .zero else { throw .invalidEndpoint(self.address, "failTimeout must not be negative") }
        guard self.maxConnections >= 0 else { throw .invalidEndpoint(self.address, "maxConnections must not be negative") }
    }
}
