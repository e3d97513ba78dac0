/// The endpoints that can take the next call, as a strategy sees them: positions from 0 to ``count``.
///
/// Endpoints that are down, resting, at their connection limit or already tried by the call are not among them.
public struct Candidates: Sendable {
    var members: [Member] = []
    /// Positions to indices of `members`. Keeps its capacity, so that a pick allocates nothing.
    private var usable: [Int] = []

    /// What the call's endpoint is chosen by, see ``CallHistory/key``.
    public internal(set) var key: [UInt8]?

    /// How many endpoints there are to choose from; never 0 when a strategy is asked.
    public var count: Int { self.usable.count }

    /// Whether all endpoints of the set, candidates or not, have the same weight.
    public private(set) var haveEqualWeights = true

    /// What recognises the endpoint at a position, for a strategy that keeps notes of its own.
    public func id(at position: Int) -> EndpointID { self.members[self.usable[position]].id }

    /// The endpoint at a position.
    public func endpoint(at position: Int) -> Endpoint { self.members[self.usable[position]].endpoint }

    /// The weight of the endpoint at a position: at least 1, and together less than 2^31.
    public func weight(at position: Int) -> Int { self.members[self.usable[position]].endpoint.weight }

    /// How busy the endpoint at a position is in relation to its weight.
    public func load(at position: Int) -> Load { self.members[self.usable[position]].load }

    /// The endpoint whose turn it is in smooth weighted round robin among those whose load is `included`; takes the turn.
    ///
    /// Every included endpoint gains its effective weight, the one with the most is picked (the first of equals) and pays what all gained.
    /// O(count).
    ///
    /// - Returns: its position; nothing when no load is included.
    public mutating func takeTurn(among included: (Load) -> Bool = { _ in true }) -> Int? {
        var best: (position: Int, index: Int)?
        var total = 0
        for position in self.usable.indices {
            let index = self.usable[position]
            guard included(self.members[index].load) else { continue }
            let effective = self.members[index].effectiveWeight
            self.members[index].currentWeight &+= effective
            total &+= effective
            if effective < self.members[index].endpoint.weight { self.members[index].effectiveWeight = effective + 1 }
            if let known = best, self.members[index].currentWeight <= self.members[known.index].currentWeight { continue }
            best = (position, index)
        }
        guard let best else { return nil }
        self.members[best.index].currentWeight &-= total
        return best.position
    }

    /// Takes the turn for the endpoint at an address, whoever's it is; its index among the members, or nothing when it cannot be picked.
    ///
    /// While it is a whole round behind already it takes no turn, so that clients bound to it do not keep all others away from it for ever.
    mutating func takeTurn(of address: Endpoint.Address) -> Int? {
        guard let chosen = self.usable.first(where: { self.members[$0].endpoint.address == address }) else { return nil }
        let total = self.usable.reduce(0) { $0 &+ self.members[$1].effectiveWeight }
        guard self.members[chosen].currentWeight > self.members[chosen].effectiveWeight - total else { return chosen }
        for index in self.usable {
            let effective = self.members[index].effectiveWeight
            self.members[index].currentWeight &+= effective
            if effective < self.members[index].endpoint.weight { self.members[index].effectiveWeight = effective + 1 }
        }
        self.members[chosen].currentWeight &-= total
        return chosen
    }

    mutating func replaceMembers(_ members: [Member]) {
        self.members = members
        self.usable.removeAll(keepingCapacity: true)
        self.usable.reserveCapacity(members.count)
        self.haveEqualWeights = members.allSatisfy { $0.endpoint.weight == members.first?.endpoint.weight }
    }

    /// Collects what can be picked at `second`, among the backup endpoints or among the others.
    mutating func collect(backups: Bool, at second: Int64, isAlone: Bool) {
        self.usable.removeAll(keepingCapacity: true)
        for index in self.members.indices where self.members[index].endpoint.isBackup == backups {
            if self.members[index].obstacle(at: second, isAlone: isAlone) == nil { self.usable.append(index) }
        }
    }

    /// The position of a member; nil where it cannot be picked at present. O(candidates).
    func position(ofMember index: Int) -> Int? { self.usable.firstIndex(of: index) }

    func index(at position: Int) -> Int? {
        self.usable.indices.contains(position) ? self.usable[position] : nil
    }
}

/// Calls in flight in relation to a weight: two calls on weight 2 equal one call on weight 1.
public struct Load: Comparable, Sendable {
    public let activeCalls: Int
    public let weight: Int

    public init(activeCalls: Int, weight: Int) {
        self.activeCalls = activeCalls
        self.weight = weight
    }

    public static func == (left: Load, right: Load) -> Bool {
        left.activeCalls &* right.weight == right.activeCalls &* left.weight
    }

    public static func < (left: Load, right: Load) -> Bool {
        left.activeCalls &* right.weight < right.activeCalls &* left.weight
    }
}

extension Member {
    var load: Load { Load(activeCalls: self.activeCalls, weight: self.endpoint.weight) }
}
