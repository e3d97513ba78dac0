import BalancerKit
import ScaleCore

/// Drives one endpoint set by hand, with endpoints named by letters.
final class Picks {
    var set: EndpointSet
    var now = Instant(nanoseconds: 0)

    init(_ endpoints: [Endpoint], strategy: some BalancingStrategy = .roundRobin, seed: UInt64 = 1) throws {
        self.set = try EndpointSet(endpoints, strategy: strategy, random: FastRandom(seed: seed))
    }

    /// Endpoints a, b, c, … with these weights.
    convenience init(weights: [Int], strategy: some BalancingStrategy = .roundRobin) throws {
        try self.init(zip("abcdefgh", weights).map { Endpoint(host: String($0), port: 80, weight: $1) }, strategy: strategy)
    }

    /// Picks for a call of its own, or for the call of `history`.
    func pick() -> Selection? {
        var history = CallHistory()
        return self.pick(&history)
    }

    func pick(_ history: inout CallHistory) -> Selection? {
        guard case .endpoint(let selection) = self.set.pick(&history, at: self.now) else { return nil }
        return selection
    }

    /// One whole call; the letter of the endpoint that it went to, "-" when there was none.
    func call(_ outcome: CallOutcome = .success) -> String {
        guard let selection = self.pick() else { return "-" }
        self.set.report(selection, outcome, at: self.now)
        return selection.letter
    }

    func calls(_ count: Int, _ outcome: CallOutcome = .success) -> String {
        (0..<count).map { _ in self.call(outcome) }.joined()
    }

    func advance(by duration: Duration) {
        self.now = self.now.advanced(by: duration)
    }

    func fails(_ letter: String) -> Int? { self.status(letter)?.fails }

    func activeCalls(_ letter: String) -> Int? { self.status(letter)?.activeCalls }

    func obstacle(_ letter: String) -> UnavailableEndpoint.Reason? { self.status(letter)?.obstacle }

    private func status(_ letter: String) -> EndpointStatus? {
        self.set.status(at: self.now).first { $0.endpoint.letter == letter }
    }
}

extension Endpoint {
    var letter: String {
        switch self.address {
        case .host(let host, _): host
        case .unix(let path): path
        }
    }

    static func named(
        _ letter: String, weight: Int = 1, maxFails: Int = 1, failTimeout: Duration = .seconds(10), maxConnections: Int = 0,
        isBackup: Bool = false, isDown: Bool = false
    ) -> Endpoint {
        Endpoint(
            .host(letter, port: 80), weight: weight, maxFails: maxFails, failTimeout: failTimeout, maxConnections: maxConnections,
            isBackup: isBackup, isDown: isDown)
    }
}

extension Selection {
    var letter: String { self.endpoint.letter }
}
