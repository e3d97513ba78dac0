import BalancerKit
import BalancerKitTesting
import ScaleCore
import ScaleTesting
import Testing

struct BalancerTests {
    private let time = ManualTime()
    private let servers: VirtualEndpoints

    init() {
        self.servers = VirtualEndpoints(time: self.time.source)
    }

    private func makeBalancer(
        _ endpoints: [Endpoint] = ["a:80", "b:80", "c:80"], strategy: some BalancingStrategy = .roundRobin,
        next: NextEndpointPolicy = .init(), classifier: FailureClassifier = .standard
    ) throws -> Balancer {
        var configuration = BalancerConfiguration()
        configuration.name = "api"
        configuration.time = self.time.source
        configuration.nextEndpoint = next
        configuration.classifier = classifier
        return try Balancer(endpoints: endpoints, strategy: strategy, configuration: configuration)
    }

    private func activeCalls(_ balancer: Balancer) -> Int { balancer.status.reduce(0) { $0 + $1.activeCalls } }

    @Test func `calls go to the endpoints as the strategy says`() async throws {
        let balancer = try self.makeBalancer([.named("a", weight: 5), .named("b"), .named("c")])
        var letters = ""
        for _ in 0..<7 {
            letters += try await balancer.withEndpoint { try await self.servers.call($0).letter }
        }
        #expect(letters == "aabacaa")
    }

    @Test func `a refused connection goes on to the next endpoint, though the call is not idempotent`() async throws {
        let balancer = try self.makeBalancer()
        self.servers.refuse("a:80")
        self.servers.refuse("b:80")
        let answered = try await balancer.withEndpoint { try await self.servers.call($0) }
        #expect(answered == "c:80")
        let (a, b, c) = (Endpoint("a:80").address, Endpoint("b:80").address, Endpoint("c:80").address)
        #expect(self.servers.facts.all == [.refused(a), .refused(b), .arrived(c), .answered(c)])
        #expect(balancer.status.map(\.obstacle) == [.resting, .resting, nil])
    }

    @Test func `a lost connection is repeated if the call is idempotent, and only then`() async throws {
        let balancer = try self.makeBalancer(next: .init())
        self.servers.faults.failNext(times: 2, with: VirtualCallError.connectionLost)
        await #expect(throws: VirtualCallError.connectionLost) {
            try await balancer.withEndpoint { try await self.servers.call($0) }
        }
        let answered = try await balancer.withEndpoint(isIdempotent: true) { try await self.servers.call($0) }
        #expect(answered == "c:80")
        try self.servers.faults.expectAllStruck()
    }

    @Test func `a response that was partly delivered is never repeated`() async throws {
        let balancer = try self.makeBalancer()
        self.servers.faults.failNext(with: VirtualCallError.responseCut)
        await #expect(throws: VirtualCallError.responseCut) {
            try await balancer.withEndpoint(isIdempotent: true) { try await self.servers.call($0) }
        }
        #expect(self.servers.facts.count == 2)
    }

    @Test func `when every endpoint fails the last error comes through unchanged, after one attempt at each`() async throws {
        let balancer = try self.makeBalancer()
        for endpoint in ["a:80", "b:80", "c:80"] as [Endpoint] { self.servers.refuse(endpoint) }
        await #expect(throws: VirtualCallError.refused) {
            try await balancer.withEndpoint { try await self.servers.call($0) }
        }
        #expect(Set(self.servers.facts.all).count == 3 && self.servers.facts.count == 3)
    }

    @Test func `when nobody can be tried the error says why for each endpoint`() async throws {
        let balancer = try self.makeBalancer(["a:80", .named("b", isDown: true), .named("c", maxConnections: 1)])
        self.servers.faults.failNext("a:80", with: VirtualCallError.connectionLost)
        _ = try? await balancer.withEndpoint { try await self.servers.call($0) }
        let gate = Gate("inside c")
        async let held: Void = balancer.withEndpoint { _ in try await gate.pass() }
        try await gate.waitForArrivals(1)
        let error = await #expect(throws: BalancerError.self) { try await balancer.withEndpoint { try await self.servers.call($0) } }
        #expect(error?.code == .noLiveEndpoint && error?.place == "api")
        #expect(error?.unavailable.map(\.reason) == [.resting, .down, .atConnectionLimit])
        gate.open()
        try await held
    }

    @Test func `an endpoint alone gets calls however often it fails, each call once`() async throws {
        let balancer = try self.makeBalancer(["a:80"])
        self.servers.refuse("a:80")
        for _ in 0..<3 {
            await #expect(throws: VirtualCallError.refused) { try await balancer.withEndpoint { try await self.servers.call($0) } }
        }
        #expect(self.servers.facts.count == 3)
    }

    @Test func `the tries of the policy bound the attempts`() async throws {
        let balancer = try self.makeBalancer(next: .init(tries: 2))
        for endpoint in ["a:80", "b:80"] as [Endpoint] { self.servers.refuse(endpoint) }
        await #expect(throws: VirtualCallError.refused) { try await balancer.withEndpoint { try await self.servers.call($0) } }
        #expect(self.servers.facts.count == 2)
    }

    @Test func `the time-out of the policy bounds repeats, not the attempt`() async throws {
        let balancer = try self.makeBalancer(next: .init(timeout: .seconds(5)))
        for endpoint in ["a:80", "b:80", "c:80"] as [Endpoint] { self.servers.setLatency(.seconds(3), of: endpoint) }
        let attempts = RecordedFacts<Endpoint>()
        let call = Task {
            try await balancer.withEndpoint { endpoint in
                attempts.record(endpoint)
                try await self.servers.call(endpoint)
                throw VirtualCallError.refused
            }
        }
        for _ in 0..<2 {
            try await self.time.waitForSleepers(1)
            await self.time.advance(by: .seconds(3))
        }
        await #expect(throws: VirtualCallError.refused) { try await call.value }
        #expect(attempts.count == 2)
    }

    @Test func `an endpoint that failed gets one probe after its rest`() async throws {
        let balancer = try self.makeBalancer(["a:80", .named("b", isBackup: true)])
        self.servers.refuse("a:80")
        #expect(try await balancer.withEndpoint { try await self.servers.call($0) } == .named("b", isBackup: true))
        self.servers.accept("a:80")
        await self.time.advance(by: .seconds(10))
        #expect(try await balancer.withEndpoint { try await self.servers.call($0).letter } == "b")
        await self.time.advance(by: .seconds(1))
        #expect(try await balancer.withEndpoint { try await self.servers.call($0).letter } == "a")
    }

    @Test func `a cancelled call ends once, is not repeated, and does not count against its endpoint`() async throws {
        let balancer = try self.makeBalancer()
        self.servers.setLatency(.seconds(60), of: "a:80")
        let call = Task { try await balancer.withEndpoint(isIdempotent: true) { try await self.servers.call($0) } }
        try await self.time.waitForSleepers(1)
        #expect(self.activeCalls(balancer) == 1)
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
        #expect(self.activeCalls(balancer) == 0)
        #expect(balancer.status.allSatisfy { $0.fails == 0 })
        #expect(self.servers.facts.count == 2)
    }

    @Test func `an error of a cancelled call's own kind does not count either`() async throws {
        let balancer = try self.makeBalancer()
        let gate = Gate()
        let call = Task {
            try await balancer.withEndpoint { _ in
                try? await gate.pass()
                throw VirtualCallError.refused
            }
        }
        try await gate.waitForArrivals(1)
        call.cancel()
        await #expect(throws: VirtualCallError.refused) { try await call.value }
        #expect(balancer.status.allSatisfy { $0.fails == 0 && $0.activeCalls == 0 })
        #expect(gate.arrivals == 1)
    }

    @Test func `a call of a cancelled task does not begin`() async throws {
        let balancer = try self.makeBalancer()
        let gate = Gate()
        let call = Task {
            try? await gate.pass()
            return try await balancer.withEndpoint { try await self.servers.call($0) }
        }
        try await gate.waitForArrivals(1)
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
        #expect(self.servers.facts.count == 0)
    }

    @Test func `an error that is not the endpoint's fault leaves its health alone`() async throws {
        struct NotFound: Error {}
        let balancer = try self.makeBalancer(
            classifier: FailureClassifier { $0 is NotFound ? CallFailure(.sent, countsAgainstEndpoint: false) : nil })
        await #expect(throws: NotFound.self) { try await balancer.withEndpoint { _ in throw NotFound() } }
        #expect(balancer.status.allSatisfy { $0.fails == 0 && $0.activeCalls == 0 })
    }

    @Test func `the least busy endpoint is the one with the fewest calls in flight now`() async throws {
        let balancer = try self.makeBalancer(strategy: .leastConnections)
        let gate = Gate()
        async let first = balancer.withEndpoint { endpoint in
            try await gate.pass()
            return endpoint
        }
        try await gate.waitForArrivals(1)
        for _ in 0..<6 {
            #expect(try await balancer.withEndpoint { try await self.servers.call($0) } != "a:80")
        }
        gate.open()
        #expect(try await first == "a:80")
    }

    @Test func `calls to a removed endpoint finish, and its repeats go to the new ones`() async throws {
        let balancer = try self.makeBalancer(["a:80"])
        let gate = Gate()
        let tried = RecordedFacts<Endpoint>()
        async let call = balancer.withEndpoint { endpoint in
            tried.record(endpoint)
            if endpoint == "a:80" {
                try await gate.pass()
                throw VirtualCallError.refused
            }
            return endpoint
        }
        try await gate.waitForArrivals(1)
        try balancer.update(endpoints: ["b:80"])
        #expect(balancer.leavingCalls == 1)
        gate.open()
        #expect(try await call == "b:80")
        #expect(tried.all == ["a:80", "b:80"])
        #expect(balancer.leavingCalls == 0 && self.activeCalls(balancer) == 0)
    }

    @Test func `an update that is refused leaves the endpoints as they are`() async throws {
        let balancer = try self.makeBalancer()
        #expect(throws: BalancerError.self) { try balancer.update(endpoints: []) }
        #expect(throws: BalancerError.self) { try balancer.update(endpoints: ["not an address"]) }
        #expect(balancer.status.map(\.endpoint.letter) == ["a", "b", "c"])
    }

    @Test func `no endpoint has more calls in flight than its limit, however many callers there are`() async throws {
        let balancer = try self.makeBalancer(
            [.named("a", maxConnections: 2), .named("b", maxConnections: 3)], strategy: .powerOfTwoChoices)
        for endpoint in ["a:80", "b:80"] as [Endpoint] { self.servers.setLatency(.seconds(1), of: endpoint) }
        let turnedAway = RecordedFacts<Void>()
        let calls = (0..<40).map { _ in
            Task {
                do {
                    _ = try await balancer.withEndpoint { try await self.servers.call($0) }
                } catch let error as BalancerError where error.code == .noLiveEndpoint {
                    turnedAway.record(())
                }
            }
        }
        // Before that no time passes: a call that comes late finds the limits reached, too.
        try await self.time.waitForSleepers(5)
        _ = try await turnedAway.waitForCount(35)
        await self.time.advance(by: .seconds(1))
        for call in calls { try await call.value }
        #expect(self.servers.peakCalls(of: "a:80") == 2 && self.servers.peakCalls(of: "b:80") == 3)
        #expect(self.activeCalls(balancer) == 0)
        #expect(turnedAway.count == 35 && self.servers.answers(of: "a:80") + self.servers.answers(of: "b:80") == 5)
    }

    @Test func `calls in flight are counted exactly under failures, cancellation and updates at once`() async throws {
        let servers = VirtualEndpoints()
        let all: [Endpoint] = ["a:80", "b:80", "c:80", "d:80"]
        try await withSeed { generator in
            let balancer = try Balancer(endpoints: all, strategy: .leastConnections, random: generator.split())
            var seeds = generator
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    var random = seeds.split()
                    group.addTask {
                        for _ in 0..<100 {
                            let failure: VirtualCallError? =
                                [nil, .refused, .connectionLost, .responseCut].randomElement(using: &random) ?? nil
                            let call = Task {
                                try await balancer.withEndpoint(isIdempotent: true) { endpoint in
                                    await Task.yield()
                                    if let failure { throw failure }
                                    return try await servers.call(endpoint)
                                }
                            }
                            if Bool.random(using: &random) { call.cancel() }
                            _ = try? await call.value
                            let kept = all.shuffled(using: &random).prefix(Int.random(in: 1...4, using: &random))
                            try? balancer.update(endpoints: Array(kept))
                        }
                    }
                }
            }
            #expect(balancer.status.allSatisfy { $0.activeCalls == 0 })
            #expect(balancer.leavingCalls == 0)
        }
    }

    @Test @MainActor func `a call runs on its caller's actor`() async throws {
        let balancer = try self.makeBalancer()
        var count = 0
        try await balancer.withEndpoint { _ in
            MainActor.assertIsolated()
            count += 1
        }
        #expect(count == 1)
    }
}
