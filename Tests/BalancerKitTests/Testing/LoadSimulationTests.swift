import BalancerKit
import BalancerKitTesting
import ScaleTesting
import Testing

struct LoadSimulationTests {
    private static func servers(_ count: Int, slow: Duration = .milliseconds(10)) -> [LoadSimulation.Server] {
        (0..<count).map { LoadSimulation.Server(.named("s\($0)", maxFails: 0), serviceTime: $0 == 0 ? slow : .milliseconds(10)) }
    }

    @Test func `equal seeds give equal figures`() throws {
        func run(_ seed: UInt64) throws -> LoadDistribution {
            try LoadSimulation(servers: Self.servers(4), strategy: .powerOfTwoChoices, seed: Seed(seed)).run(calls: 1000)
        }
        #expect(try run(1) == run(1))
        #expect(try run(1) != run(2))
    }

    @Test func `every call is accounted for`() throws {
        var simulation = LoadSimulation(servers: Self.servers(3), strategy: .roundRobin, seed: Seed(3))
        simulation.servers[1].failureRate = 0.5
        simulation.tries = 2
        let distribution = try simulation.run(calls: 2000)
        let repeats = distribution.rows[1].failures - distribution.failedCalls
        #expect(distribution.attempts == 2000 + repeats)
        #expect(distribution.unserved == 0)
        #expect(distribution.rows[1].failures > 200)
        #expect(distribution.description.contains("s1:80"))
    }

    @Test func `an endpoint ten times slower gets its turn from round robin, and is spared by strategies that look at load`() throws {
        func share(_ strategy: some BalancingStrategy) throws -> Double {
            var simulation = LoadSimulation(servers: Self.servers(4, slow: .milliseconds(100)), strategy: strategy, seed: Seed(5))
            simulation.interval = .milliseconds(4)
            return try simulation.run(calls: 4000).share(of: 0)
        }
        #expect(try share(.roundRobin) == 0.25)
        #expect(try share(.leastConnections) < 0.12)
        #expect(try share(.powerOfTwoChoices) < 0.2)
    }

    @Test func `an endpoint that always fails rests nearly all of the time`() throws {
        var simulation = LoadSimulation(servers: Self.servers(4), strategy: .roundRobin, seed: Seed(6))
        simulation.servers[0].endpoint.maxFails = 1
        simulation.servers[0].failureRate = 1
        simulation.tries = 2
        simulation.interval = .milliseconds(10)
        let distribution = try simulation.run(calls: 5000)
        // 50 seconds with a rest of 10 to 11 seconds after each failure; one more may be in flight when the first comes in.
        #expect((4...7).contains(distribution.rows[0].attempts))
        #expect(distribution.failedCalls == 0)
    }
}
