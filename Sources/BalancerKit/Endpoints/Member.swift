/// Recognises an endpoint for as long as it stays in its set, across updates; never reused within one set.
public struct EndpointID: Hashable, Sendable {
    let number: UInt64
}

/// An endpoint inside a set, with everything that is known of it.
struct Member: Sendable {
    let id: EndpointID
    private(set) var endpoint: Endpoint
    private(set) var rules: PassiveHealth.Rules
    var health = PassiveHealth()
    var activeCalls = 0
    /// Smooth weighted round robin: how much this endpoint's turn is due.
    var currentWeight = 0
    /// The weight, less what failures took from it; each pick that considers the endpoint gives one back.
    var effectiveWeight: Int
    /// Scratch of one pick: whether the call has tried this endpoint.
    var isTried = false

    init(id: EndpointID, endpoint: Endpoint) {
        self.id = id
        self.endpoint = endpoint
        self.rules = PassiveHealth.Rules(endpoint)
        self.effectiveWeight = endpoint.weight
    }

    /// Takes over new settings for the same address; what was counted stays.
    mutating func update(_ endpoint: Endpoint) {
        let lost = max(0, self.endpoint.weight - self.effectiveWeight)
        self.effectiveWeight = max(0, endpoint.weight - lost)
        self.endpoint = endpoint
        self.rules = PassiveHealth.Rules(endpoint)
    }

    /// Notes that an attempt begins.
    mutating func pick(at second: Int64) -> PassiveHealth.Probe? {
        self.activeCalls &+= 1
        return self.health.pick(at: second, rules: self.rules)
    }

    /// Notes that an attempt is over. `isAlone` switches the rules of health off.
    mutating func end(_ selection: Selection, _ outcome: CallOutcome, at second: Int64, isAlone: Bool) -> HealthChange? {
        self.activeCalls = max(0, self.activeCalls - 1)
        guard !isAlone else { return nil }
        let wasExhausted = self.isExhausted
        switch outcome {
        case .success: self.health.succeed()
        case .failure: self.fail(at: second)
        case .abandoned: if let probe = selection.probe { self.health.abandon(probe) }
        }
        guard self.isExhausted != wasExhausted else { return nil }
        return wasExhausted ? .recovered : .restBegan
    }

    /// Whether the endpoint has failed as often as it may.
    private var isExhausted: Bool { self.rules.maxFails > 0 && self.health.fails >= self.rules.maxFails }

    /// Counts a failure and lowers the effective weight by the weight's share for each of `maxFails`.
    private mutating func fail(at second: Int64) {
        self.health.fail(at: second)
        guard self.rules.maxFails > 0 else { return }
        self.effectiveWeight = max(0, self.effectiveWeight - self.endpoint.weight / self.rules.maxFails)
    }

    /// Why the endpoint cannot be picked now, or nothing when it can. `isAlone` switches the rules of health off.
    func obstacle(at second: Int64, isAlone: Bool) -> UnavailableEndpoint.Reason? {
        if self.isTried { return .tried }
        if self.endpoint.isDown { return .down }
        if !isAlone, self.health.isResting(at: second, rules: self.rules) { return .resting }
        if self.endpoint.maxConnections > 0, self.activeCalls >= self.endpoint.maxConnections { return .atConnectionLimit }
        return nil
    }
}
