import BalancerKit
import ScaleCore
import ScaleTesting

/// A random schedule of picks, reports and pauses for one strategy, that checks after each step what must always hold.
struct StrategySchedule {
    let facts = RecordedFacts<StrategyFact>()
    private var set: EndpointSet
    private var endpoints: [Endpoint]
    private var random: SeededGenerator
    private var now = Instant(nanoseconds: 0)
    private var running: [(call: CallHistory, selection: Selection)] = []

    /// Endpoints 0, 1, … with these weights; every second one may have at most four calls, the last of more than three is a backup.
    init(weights: [Int], strategy: some BalancingStrategy, seed: Seed) throws {
        self.random = seed.generator()
        self.endpoints = weights.enumerated().map { index, weight in
            Endpoint(.host("\(index)", port: 80), weight: weight, maxFails: index % 3, failTimeout: .seconds(2))
        }
        self.set = try EndpointSet(
            self.endpoints, strategy: RecordedStrategy(strategy, into: self.facts), random: self.random.split())
    }

    mutating func update(_ change: (inout [Endpoint]) -> Void) throws {
        change(&self.endpoints)
        try self.set.update(self.endpoints)
    }

    /// One call from pick to success; the number of the endpoint that it went to.
    mutating func call() throws -> Int {
        self.now = self.now.advanced(by: .milliseconds(1))
        var history = CallHistory()
        guard let selection = try self.pick(&history) else { throw TestFailure("a usable endpoint was not picked") }
        self.now = self.now.advanced(by: .milliseconds(1))
        self.set.report(selection, .success, at: self.now)
        return try Self.number(selection.endpoint)
    }

    /// Lets calls to one endpoint run for `duration`.
    mutating func occupy(_ number: Int, for duration: Duration) throws {
        let others = self.endpoints
        try self.update { endpoints in
            for index in endpoints.indices { endpoints[index].isDown = index != number }
        }
        var selections: [Selection] = []
        for _ in 0..<5 {
            var history = CallHistory()
            if let selection = try self.pick(&history) { selections.append(selection) }
        }
        self.now = self.now.advanced(by: duration)
        for selection in selections { self.set.report(selection, .success, at: self.now) }
        try self.update { $0 = others }
    }

    /// Plays `steps` random steps and then lets all calls end.
    mutating func play(steps: Int) throws {
        try self.update { endpoints in
            for index in endpoints.indices where index % 2 == 1 { endpoints[index].maxConnections = 4 }
            if endpoints.count > 3 { endpoints[endpoints.count - 1].isBackup = true }
        }
        for _ in 0..<steps { try self.step() }
        while !self.running.isEmpty { try self.finish(at: 0, .success) }
        for status in self.set.status(at: self.now) { try expectEqual(status.activeCalls, 0, "calls in flight after the last") }
    }

    private mutating func step() throws {
        switch Int.random(in: 0..<10, using: &self.random) {
        case 0..<4:
            var history = CallHistory()
            try self.attempt(&history)
        case 4..<9 where !self.running.isEmpty:
            let index = Int.random(in: 0..<self.running.count, using: &self.random)
            try self.finish(at: index, [.success, .success, .failure, .abandoned].randomElement(using: &self.random) ?? .success)
        default:
            self.now = self.now.advanced(by: .milliseconds(Int.random(in: 0...1500, using: &self.random)))
        }
    }

    /// Ends an attempt; a failed one goes on to the next endpoint.
    private mutating func finish(at index: Int, _ outcome: CallOutcome) throws {
        var (call, selection) = self.running.remove(at: index)
        self.set.report(selection, outcome, at: self.now)
        if outcome == .failure { try self.attempt(&call) }
    }

    private mutating func attempt(_ history: inout CallHistory) throws {
        try expect(history.attempts <= self.endpoints.count, "a call had more attempts than there are endpoints")
        guard let selection = try self.pick(&history) else { return }
        self.running.append((history, selection))
    }

    /// Picks, and checks the pick against what was known just before.
    private mutating func pick(_ history: inout CallHistory) throws -> Selection? {
        let before = self.set.noLiveEndpoint(history, at: self.now)
        let status = self.set.status(at: self.now)
        guard case .endpoint(let selection) = self.set.pick(&history, at: self.now) else {
            let usable = status.count { status in !before.unavailable.contains { $0.address == status.endpoint.address } }
            // A call that has gone over to the backups does not return to the others.
            try expect(usable == 0 || self.endpoints.contains(where: \.isBackup), "\(usable) usable endpoints, and none was picked")
            return nil
        }
        if let reason = before.unavailable.first(where: { $0.address == selection.endpoint.address })?.reason {
            throw TestFailure("endpoint \(selection.endpoint) was picked, which is \(reason)")
        }
        return selection
    }

    private static func number(_ endpoint: Endpoint) throws -> Int {
        guard case .host(let host, _) = endpoint.address, let number = Int(host) else { throw TestFailure("an unknown endpoint") }
        return number
    }
}
