import ScaleCore
import ScaleTesting
import Testing

struct CircuitBreakerTests {
    struct Boom: Error {}

    private static func configuration() -> CircuitBreaker.Configuration {
        var configuration = CircuitBreaker.Configuration()
        configuration.minimumCalls = 2
        configuration.openDuration = .seconds(10)
        configuration.probes = 1
        return configuration
    }

    private static func fail(_ breaker: CircuitBreaker, times: Int) async {
        for _ in 0..<times {
            await #expect(throws: Boom.self) { try await breaker.withPermit { throw Boom() } }
        }
    }

    @Test func `failures open it, calls are not made while it is open, a probe closes it`() async throws {
        let time = ManualTime()
        let changes = RecordedFacts<[CircuitBreaker.State]>()
        let breaker = CircuitBreaker("db", configuration: Self.configuration(), time: time.source) { changes.record([$0, $1]) }
        await Self.fail(breaker, times: 2)
        let error = await #expect(throws: CircuitOpenError.self) {
            try await breaker.withPermit { Issue.record("the call was made") }
        }
        #expect(error == CircuitOpenError(name: "db", retryAfter: .seconds(10)))
        await time.advance(by: .seconds(10))
        #expect(try await breaker.withPermit { "value" } == "value")
        #expect(breaker.state == .closed)
        #expect(changes.all == [[.closed, .open], [.open, .halfOpen], [.halfOpen, .closed]])
    }

    @Test func `cancellation says nothing about the service`() async {
        let breaker = CircuitBreaker("db", configuration: Self.configuration(), time: ManualTime().source)
        for _ in 0..<5 {
            await #expect(throws: CancellationError.self) { try await breaker.withPermit { throw CancellationError() } }
            let cancelled = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await breaker.withPermit { throw Boom() }
            }
            await #expect(throws: Boom.self) { try await cancelled.value }
        }
        #expect(breaker.state == .closed)
    }

    @Test func `the caller may judge values and errors itself`() async throws {
        let breaker = CircuitBreaker("db", configuration: Self.configuration(), time: ManualTime().source)
        for _ in 0..<3 {
            _ = try? await breaker.withPermit(judge: { _ in .ignored }) { throw Boom() }
        }
        #expect(breaker.state == .closed)
        for _ in 0..<2 {
            let status = try await breaker.withPermit(judge: { (try? $0.get()) == 503 ? .failure : .success }) { 503 }
            #expect(status == 503)
        }
        #expect(breaker.state == .open)
    }

    @Test func `a permit takes its result once`() throws {
        let breaker = CircuitBreaker("db", configuration: Self.configuration(), time: ManualTime().source)
        for _ in 0..<2 {
            let permit = try breaker.admit()
            permit.report(.failure)
        }
        #expect(breaker.state == .open)
    }

    @Test func `a permit that is let go without a result gives its place back`() async throws {
        let time = ManualTime()
        let breaker = CircuitBreaker("db", configuration: Self.configuration(), time: time.source)
        await Self.fail(breaker, times: 2)
        await time.advance(by: .seconds(10))
        for _ in 0..<3 { _ = try breaker.admit() }
        #expect(breaker.state == .halfOpen)
        let probe = try breaker.admit()
        #expect(throws: CircuitOpenError.self) { _ = try breaker.admit() }
        probe.report(.success)
        #expect(breaker.state == .closed)
    }

    @Test func `by hand it is opened, disabled and reset`() async throws {
        let breaker = CircuitBreaker("db", configuration: Self.configuration(), time: ManualTime().source)
        breaker.forceOpen()
        let error = #expect(throws: CircuitOpenError.self) { _ = try breaker.admit() }
        #expect(error?.retryAfter == nil)
        #expect(error.map { "\($0)" } == "the circuit breaker db is open; it was opened by hand")
        breaker.disable()
        await Self.fail(breaker, times: 10)
        #expect(breaker.state == .disabled)
        breaker.reset()
        await Self.fail(breaker, times: 2)
        #expect(breaker.state == .open)
        breaker.reset()
        _ = try breaker.admit()
    }

    @Test func `concurrent callers get no more probes than there are`() async throws {
        let time = ManualTime()
        let breaker = CircuitBreaker("db", configuration: Self.configuration(), time: time.source)
        await Self.fail(breaker, times: 2)
        await time.advance(by: .seconds(10))
        let gate = Gate()
        let made = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    do {
                        try await breaker.withPermit { try await gate.pass() }
                        return true
                    } catch {
                        return false
                    }
                }
            }
            // 49 are rejected while the one probe is under way.
            var results: [Bool] = []
            while results.count < 49, let result = await group.next() { results.append(result) }
            gate.open()
            while let result = await group.next() { results.append(result) }
            return results.count(where: \.self)
        }
        #expect(made == 1)
        #expect(gate.arrivals == 1)
    }
}
