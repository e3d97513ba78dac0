import BalancerKit
import BalancerKitTesting
import ScaleTesting
import Testing

struct VirtualEndpointsTests {
    private let endpoint: Endpoint = "a:80"

    @Test func `a call is answered after the latency, on the test's time`() async throws {
        let time = ManualTime()
        let servers = VirtualEndpoints(time: time.source)
        servers.setLatency(.seconds(3), of: self.endpoint)
        async let answer = servers.call(self.endpoint)
        try await time.waitForSleepers(1)
        #expect(servers.activeCalls(of: self.endpoint) == 1)
        await time.advance(by: .seconds(3))
        #expect(try await answer == self.endpoint)
        #expect(servers.activeCalls(of: self.endpoint) == 0 && servers.peakCalls(of: self.endpoint) == 1)
        #expect(servers.answers(of: self.endpoint) == 1)
    }

    @Test func `an endpoint refuses until it accepts again`() async throws {
        let servers = VirtualEndpoints()
        servers.refuse(self.endpoint)
        await #expect(throws: VirtualCallError.refused) { try await servers.call(self.endpoint) }
        try await servers.call("b:80")
        servers.accept(self.endpoint)
        try await servers.call(self.endpoint)
        let (a, b) = (self.endpoint.address, Endpoint("b:80").address)
        #expect(servers.facts.all == [.refused(a), .arrived(b), .answered(b), .arrived(a), .answered(a)])
    }

    @Test func `the next n calls fail as planned`() async throws {
        let servers = VirtualEndpoints()
        servers.faults.failNext(self.endpoint, times: 2, with: VirtualCallError.connectionLost)
        for _ in 0..<2 {
            await #expect(throws: VirtualCallError.connectionLost) { try await servers.call(self.endpoint) }
        }
        try await servers.call(self.endpoint)
        try servers.faults.expectAllStruck()
        #expect(servers.activeCalls(of: self.endpoint) == 0)
    }

    @Test func `a caller that gives up is recorded, and no longer inside`() async throws {
        let time = ManualTime()
        let servers = VirtualEndpoints(time: time.source)
        servers.setLatency(.seconds(1), of: self.endpoint)
        let call = Task { try await servers.call(self.endpoint) }
        try await time.waitForSleepers(1)
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
        #expect(servers.facts.all.last == .cancelled(self.endpoint.address))
        #expect(servers.activeCalls(of: self.endpoint) == 0)
    }

    @Test func `a recorded strategy shows what was offered, picked and reported`() throws {
        let facts = RecordedFacts<StrategyFact>()
        let picks = try Picks(["a:80", "b:80"], strategy: RecordedStrategy(.roundRobin, into: facts))
        #expect(picks.call(.failure) == "a")
        #expect(picks.call() == "b")
        let addresses = picks.set.status(at: picks.now).map(\.endpoint.address)
        let ids = picks.set.status(at: picks.now).map(\.id)
        #expect(
            facts.all == [
                .endpointsChanged(ids), .picked(ids[0], addresses[0], from: addresses), .ended(ids[0], .failure),
                .picked(ids[1], addresses[1], from: [addresses[1]]), .ended(ids[1], .success),
            ])
    }
}
