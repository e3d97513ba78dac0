import ScaleCore
import ScaleTesting
import Testing

struct CircuitBreakerMachineTests {
    /// A breaker with a clock that the test sets, and the calls that it has admitted.
    struct Bench {
        var machine: CircuitBreakerMachine
        var now = Instant(nanoseconds: 0)

        init(_ change: (inout CircuitBreaker.Configuration) -> Void = { _ in }) {
            var configuration = CircuitBreaker.Configuration()
            configuration.window = .calls(10)
            configuration.minimumCalls = 4
            configuration.openDuration = .seconds(30)
            configuration.probes = 3
            change(&configuration)
            self.machine = CircuitBreakerMachine(configuration, at: self.now)
        }

        mutating func admit() throws -> CircuitBreakerMachine.Permit {
            switch self.machine.admit(at: self.now) {
            case .admitted(let permit): return permit
            case .rejected(let wait): throw TestFailure("rejected, retry after \(String(describing: wait))")
            }
        }

        mutating func record(_ outcome: CircuitBreaker.Outcome, of permit: CircuitBreakerMachine.Permit) {
            self.machine.record(outcome, of: permit, at: self.now)
        }

        /// One call for each character: `.` succeeds, `x` fails, `-` says nothing.
        mutating func play(_ calls: String) throws {
            for call in calls {
                let permit = try self.admit()
                self.record(call == "." ? .success : call == "x" ? .failure : .ignored, of: permit)
            }
        }

        mutating func pass(_ duration: Duration) { self.now = self.now.advanced(by: duration) }

        /// A breaker that has opened, at the end of its open time.
        static func readyToProbe(_ change: (inout CircuitBreaker.Configuration) -> Void = { _ in }) throws -> Bench {
            var bench = Bench(change)
            try bench.play("xxxx")
            bench.pass(.seconds(30))
            return bench
        }
    }

    @Test(
        arguments: [
            ("xxx", .closed), ("xxxx", .open), ("..xx", .open), ("...x", .closed), ("x...", .closed), ("---xxx", .closed),
            ("x-x-x-x", .open),
            ("....x.x.x.x.", .closed), ("....xxxx", .open), (".....xxxx", .closed), (".....xxxxx", .open), ("..........", .closed),
            ("...xx.....xx", .closed), ("...xx.....xxx", .open), ("...xx......xxx", .closed),
        ] as [(String, CircuitBreaker.State)])
    func `it opens when the share of failures in the window reaches the limit, and enough calls were made`(
        calls: String, state: CircuitBreaker.State
    ) throws {
        var bench = Bench()
        try bench.play(calls)
        #expect(bench.machine.phase == state)
    }

    @Test func `a window of time forgets failures that are long past`() throws {
        var bench = Bench { $0.window = .time(.seconds(10)) }
        try bench.play("xxx")
        bench.pass(.seconds(11))
        try bench.play("x...")
        #expect(bench.machine.phase == .closed)
        try bench.play("xx")
        #expect(bench.machine.phase == .open)
    }

    @Test func `open, it rejects and says when to come back`() throws {
        var bench = Bench()
        try bench.play("xxxx")
        #expect(bench.machine.admit(at: bench.now) == .rejected(retryAfter: .seconds(30)))
        bench.pass(.seconds(30) - .nanoseconds(1))
        #expect(bench.machine.admit(at: bench.now) == .rejected(retryAfter: .nanoseconds(1)))
        #expect(bench.machine.phase == .open)
        bench.pass(.nanoseconds(1))
        _ = try bench.admit()
        #expect(bench.machine.phase == .halfOpen)
    }

    @Test func `half open, it admits a bounded number of probes`() throws {
        var bench = try Bench.readyToProbe()
        for _ in 0..<3 { _ = try bench.admit() }
        bench.pass(.seconds(1))
        #expect(bench.machine.admit(at: bench.now) == .rejected(retryAfter: .seconds(29)))
    }

    @Test(
        arguments: [
            ("..", .closed), (".", .halfOpen), ("xx", .open), ("x", .halfOpen), (".x", .halfOpen), (".x.", .closed), ("x.x", .open),
            ("--.-.", .closed),
        ] as [(String, CircuitBreaker.State)])
    func `the probes are judged as soon as the rest cannot change it`(calls: String, state: CircuitBreaker.State) throws {
        var bench = try Bench.readyToProbe()
        try bench.play(calls)
        #expect(bench.machine.phase == state)
    }

    @Test func `a probe that says nothing gives its place back`() throws {
        var bench = try Bench.readyToProbe { $0.probes = 1 }
        for _ in 0..<10 { try bench.play("-") }
        #expect(bench.machine.phase == .halfOpen)
        try bench.play(".")
        #expect(bench.machine.phase == .closed)
    }

    @Test func `probes that do not answer in time open it again`() throws {
        var bench = try Bench.readyToProbe { $0.probeDuration = .seconds(5) }
        let permits = [try bench.admit(), try bench.admit(), try bench.admit()]
        bench.pass(.seconds(5))
        #expect(bench.machine.admit(at: bench.now) == .rejected(retryAfter: .seconds(30)))
        #expect(bench.machine.phase == .open)
        for permit in permits { bench.record(.success, of: permit) }
        #expect(bench.machine.phase == .open)
        bench.pass(.seconds(30))
        try bench.play("..")
        #expect(bench.machine.phase == .closed)
    }

    @Test func `after it closes, the failures of before are forgotten`() throws {
        var bench = try Bench.readyToProbe()
        try bench.play("..xxx")
        #expect(bench.machine.phase == .closed)
        try bench.play("x")
        #expect(bench.machine.phase == .open)
    }

    /// slow:   admitted ──────────────────────────────── fails: ignored
    /// others:           fail, open ─── probes succeed, closed
    @Test func `a result of a call from before it opened neither opens nor closes it`() throws {
        var bench = Bench()
        let slow = try (0..<8).map { _ in try bench.admit() }
        try bench.play("xxxx")
        bench.record(.success, of: slow[0])
        #expect(bench.machine.phase == .open)
        bench.pass(.seconds(30))
        _ = try bench.admit()
        for permit in slow[1...3] { bench.record(.success, of: permit) }
        #expect(bench.machine.phase == .halfOpen)
        try bench.play("..")
        #expect(bench.machine.phase == .closed)
        for permit in slow[4...7] { bench.record(.failure, of: permit) }
        #expect(bench.machine.phase == .closed)
    }

    @Test func `a late probe of an earlier half-open time is ignored`() throws {
        var bench = try Bench.readyToProbe()
        let late = try bench.admit()
        try bench.play("xx")
        bench.pass(.seconds(30))
        try bench.play("x")
        bench.record(.failure, of: late)
        #expect(bench.machine.phase == .halfOpen)
        try bench.play("..")
        #expect(bench.machine.phase == .closed)
    }

    @Test func `forced open it rejects until it is reset`() throws {
        var bench = Bench()
        bench.machine.forceOpen()
        bench.pass(.seconds(1_000_000))
        #expect(bench.machine.admit(at: bench.now) == .rejected(retryAfter: nil))
        #expect(bench.machine.phase == .forcedOpen)
        bench.machine.close(at: bench.now)
        try bench.play("xxxx")
        #expect(bench.machine.phase == .open)
    }

    @Test func `disabled it admits everything and counts nothing`() throws {
        var bench = Bench()
        bench.machine.disable()
        try bench.play("xxxxxxxxxxxx")
        #expect(bench.machine.phase == .disabled)
        bench.machine.close(at: bench.now)
        try bench.play("xxx")
        #expect(bench.machine.phase == .closed)
    }

    /// 0.07 × 100 is more than 7 in binary floating point.
    @Test(arguments: 1...99) func `exactly the limit's share opens it, one less does not`(percent: Int) throws {
        var bench = Bench {
            $0.window = .calls(100)
            $0.minimumCalls = 100
            $0.failureRatio = Double("0.\(percent < 10 ? "0" : "")\(percent)") ?? 0
        }
        try bench.play(String(repeating: ".", count: 101 - percent) + String(repeating: "x", count: percent - 1))
        #expect(bench.machine.phase == .closed)
        try bench.play("x")
        #expect(bench.machine.phase == .open)
    }

    @Test func `a minimum above the window's size does not keep it closed for ever`() throws {
        var bench = Bench {
            $0.window = .calls(3); $0.minimumCalls = 100
        }
        try bench.play("xx")
        #expect(bench.machine.phase == .closed)
        try bench.play("x")
        #expect(bench.machine.phase == .open)
    }

    @Test(arguments: [Double.nan, -1, 0, 0.5, 1, 2, .infinity, -.infinity], [0, -1, Int.min, .max])
    func `no configuration traps, and every one opens on failures alone and closes on successes alone`(ratio: Double, count: Int) throws {
        var bench = Bench {
            $0.failureRatio = ratio
            $0.window = .calls(5)
            $0.minimumCalls = count
            $0.probes = min(count, 10)
            $0.openDuration = .seconds(Int64(clamping: min(count, 1)))
            $0.probeDuration = .seconds(Int64(clamping: count))
        }
        for _ in 0..<5 where bench.machine.phase == .closed { try bench.play("x") }
        #expect(bench.machine.phase == .open)
        bench.pass(.seconds(1))
        for _ in 0..<10 where bench.machine.phase != .closed { try bench.play(".") }
        #expect(bench.machine.phase == .closed)
    }

    @Test func `at the end of time it neither traps nor admits for ever`() throws {
        var bench = Bench()
        bench.now = .distantFuture
        try bench.play("xxxx")
        for _ in 0..<10 { _ = bench.machine.admit(at: bench.now) }
    }

    @Test func `in no order of events are more probes under way than allowed`() async throws {
        try await withSeeds(50) { generator in
            var bench = Bench { $0.probeDuration = .seconds(5) }
            var (open, probes): ([CircuitBreakerMachine.Permit], [CircuitBreakerMachine.Permit]) = ([], [])
            for _ in 0..<400 {
                switch Int.random(in: 0..<10, using: &generator) {
                case 0: bench.pass(.seconds(.random(in: 0...20, using: &generator)))
                case 1...5:
                    let before = bench.machine.phase
                    guard case .admitted(let permit) = bench.machine.admit(at: bench.now) else { continue }
                    try expect(before != .forcedOpen && bench.machine.phase != .open)
                    open.append(permit)
                    if bench.machine.phase == .halfOpen {
                        if before != .halfOpen { probes = [] }
                        probes.append(permit)
                        try expect(probes.count <= 3, "\(probes.count) probes under way")
                    }
                default:
                    guard let index = open.indices.randomElement(using: &generator) else { continue }
                    let permit = open.remove(at: index)
                    let outcomes: [CircuitBreaker.Outcome] = [.success, .failure, .ignored]
                    let outcome = outcomes.randomElement(using: &generator) ?? .success
                    if outcome == .ignored { probes.removeAll { $0 == permit } }
                    bench.record(outcome, of: permit)
                }
            }
        }
    }
}
