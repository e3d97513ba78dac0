public import BalancerKit
import ScaleCore
public import ScaleTesting

/// Sends many calls through a set of endpoints in no time at all, to see how a strategy spreads them.
///
/// Calls arrive at random with a mean interval; each endpoint takes its own time, drawn exponentially around its mean, and fails as often as it
/// is told to. Nothing runs concurrently: the same seed gives the same figures on every machine.
///
/// ```swift
/// var simulation = try LoadSimulation(strategy: .powerOfTwoChoices, seed: 7)
/// simulation.servers = [.init("a:80"), .init("b:80", serviceTime: .milliseconds(50))]
/// print(try simulation.run(calls: 10_000))
/// ```
public struct LoadSimulation: Sendable {
    /// An endpoint, how long it takes and how often it fails.
    public struct Server: Sendable {
        public var endpoint: Endpoint
        /// Mean time of a call.
        public var serviceTime: Duration
        /// Share of the attempts that fail, 0 to 1.
        public var failureRate: Double

        public init(_ endpoint: Endpoint, serviceTime: Duration = .milliseconds(10), failureRate: Double = 0) {
            self.endpoint = endpoint
            self.serviceTime = serviceTime
            self.failureRate = failureRate
        }
    }

    public var servers: [Server]

    /// Mean time between two calls.
    public var interval: Duration = .milliseconds(1)

    /// Attempts per call; a failed one goes on to another endpoint.
    public var tries: Int = 1

    private let strategy: any BalancingStrategy
    private let seed: Seed

    public init(servers: [Server] = [], strategy: some BalancingStrategy, seed: Seed) {
        self.servers = servers
        self.strategy = strategy
        self.seed = seed
    }

    /// Plays `calls` calls to their end.
    ///
    /// - Throws: `BalancerError` when the servers make no set of endpoints.
    public func run(calls: Int) throws -> LoadDistribution {
        var run = try Run(self, strategy: self.strategy, random: self.seed.generator())
        return run.play(calls: calls)
    }

    /// An attempt that ends at a time known beforehand, and the call that it belongs to.
    private struct Attempt {
        let end: Instant
        let selection: Selection
        let fails: Bool
        let history: CallHistory
    }

    private struct Run {
        private let settings: LoadSimulation
        private var set: EndpointSet
        private var random: SeededGenerator
        private var attempts: [Attempt] = []
        private var distribution: LoadDistribution
        private var rows: [Endpoint.Address: Int] = [:]

        init(_ settings: LoadSimulation, strategy: some BalancingStrategy, random: SeededGenerator) throws {
            var random = random
            self.settings = settings
            self.set = try EndpointSet(settings.servers.map(\.endpoint), strategy: strategy, random: random.split())
            self.random = random
            self.distribution = LoadDistribution(rows: settings.servers.map { LoadDistribution.Row(endpoint: $0.endpoint) })
            for (index, server) in settings.servers.enumerated() { self.rows[server.endpoint.address] = index }
        }

        mutating func play(calls: Int) -> LoadDistribution {
            var now = Instant(nanoseconds: 0)
            for _ in 0..<max(0, calls) {
                now = now.advanced(by: self.exponential(self.settings.interval))
                self.finishAttempts(until: now)
                self.begin(CallHistory(), at: now)
            }
            self.finishAttempts(until: .distantFuture)
            return self.distribution
        }

        private mutating func begin(_ history: CallHistory, at now: Instant) {
            var history = history
            guard case .endpoint(let selection) = self.set.pick(&history, at: now),
                let row = self.rows[selection.endpoint.address], self.settings.servers.indices.contains(row)
            else {
                self.distribution.unserved += 1
                return
            }
            let server = self.settings.servers[row]
            let end = now.advanced(by: self.exponential(server.serviceTime))
            let fails = Double.random(in: 0..<1, using: &self.random) < server.failureRate
            self.attempts.append(Attempt(end: end, selection: selection, fails: fails, history: history))
            let active = self.attempts.count { $0.selection.id == selection.id }
            self.distribution.rows[row].peakCalls = max(self.distribution.rows[row].peakCalls, active)
        }

        private mutating func finishAttempts(until now: Instant) {
            while let index = self.attempts.indices.min(by: { self.attempts[$0].end < self.attempts[$1].end }),
                self.attempts[index].end <= now
            {
                let attempt = self.attempts.remove(at: index)
                self.set.report(attempt.selection, attempt.fails ? .failure : .success, at: attempt.end)
                guard let row = self.rows[attempt.selection.endpoint.address] else { continue }
                self.distribution.rows[row].attempts += 1
                guard attempt.fails else { continue }
                self.distribution.rows[row].failures += 1
                if attempt.history.attempts < self.settings.tries {
                    self.begin(attempt.history, at: attempt.end)
                } else {
                    self.distribution.failedCalls += 1
                }
            }
        }

        /// A time from the exponential distribution: what intervals of independent arrivals follow.
        private mutating func exponential(_ mean: Duration) -> Duration {
            // -log(u) for a uniform u by von Neumann's method (1951), which needs no mathematics library.
            var whole = 0.0
            while true {
                let first = Double.random(in: 0..<1, using: &self.random)
                var (last, length) = (first, 1)
                while true {
                    let next = Double.random(in: 0..<1, using: &self.random)
                    guard next < last else { break }
                    (last, length) = (next, length + 1)
                }
                if length % 2 == 1 { return mean * (whole + first) }
                whole += 1
            }
        }
    }
}
