import ScaleCore
import ScaleTesting
import Testing

@testable import ScaleRedis

/// What happens to callers when a connection is lost, times out, or cannot be had.
@Suite struct ConnectionLossTests {
    @Test func `what was written fails with an unknown outcome, what was not goes out on the next connection`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.submit(2)
        harness.flush()
        harness.submit(3)
        harness.submit(4, replies: 2)
        harness.lose()
        #expect(harness.failures == [Failure(1, .connectionLost, .unknown), Failure(2, .connectionLost, .unknown)])
        #expect(harness.attempts.count == 1)
        harness.submit(5)
        harness.connect()
        #expect(harness.flush() == [3, 4, 4, 5])
        harness.receive([.integer(3), .integer(4), .integer(4), .integer(5)])
        #expect(harness.deliveredTo == [3, 4, 5])
    }

    @Test func `a call that was cancelled before it was written is not sent on the next connection`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.submit(2)
        harness.cancel(1)
        harness.lose()
        harness.connect()
        #expect(harness.flush() == [2])
    }

    @Test func `a loss that nobody waits through starts no attempt, and the next caller does`() {
        var harness = MachineHarness.ready()
        harness.lose()
        #expect(harness.attempts.isEmpty)
        #expect(harness.machine.isQuiet)
        harness.submit(1)
        #expect(harness.attempts.count == 1)
        #expect(harness.attempts[0].rest == .milliseconds(50))
    }

    @Test func `late events of a lost connection are ignored`() {
        var harness = MachineHarness.ready()
        let old = harness.machine.epoch
        harness.submit(1)
        harness.flush()
        harness.lose()
        harness.submit(2)
        harness.connect()
        harness.flush()
        harness.receive([.integer(1)], epoch: old)
        harness.lose(epoch: old)
        #expect(harness.delivered.isEmpty)
        harness.receive([.integer(2)])
        #expect(harness.deliveredTo == [2])
    }

    @Test func `a half received batch fails with its connection and leaves nothing behind`() {
        var harness = MachineHarness.ready()
        harness.submit(1, replies: 2)
        harness.flush()
        harness.receive([.integer(11)])
        harness.lose()
        #expect(harness.failures == [Failure(1, .connectionLost, .unknown)])
        harness.submit(2, replies: 2)
        harness.connect()
        harness.flush()
        harness.receive([.integer(21), .integer(22)])
        #expect(harness.delivered.map(\.reply) == [.array([.integer(21), .integer(22)])])
    }

    @Test func `the rest before an attempt doubles up to its cap and begins anew after a reply`() {
        var harness = MachineHarness { $0.connectTimeout = .seconds(1000) }
        harness.submit(1)
        for _ in 0..<8 {
            harness.beginAttempt()
            harness.lose(RedisError(code: .connectionFailed, message: "connection refused"))
        }
        #expect(harness.attempts.map(\.rest) == [0, 50, 100, 200, 400, 800, 1600, 2000, 2000].map { .milliseconds($0) })
        harness.connect()
        harness.flush()
        harness.receive([.integer(1)])
        harness.submit(2)
        harness.lose()
        #expect(harness.attempts.last?.rest == .milliseconds(50))
    }

    @Test func `the rest is drawn, and differs between clients`() async throws {
        try await withSeed { random in
            var rests: Set<Duration> = []
            for _ in 0..<50 {
                var machine = Machine(settings: ConnectionSettings())
                _ = machine.submit(CallToken(number: 1), 1, RedisCommand("PING"), now: { Instant(nanoseconds: 0) })
                _ = machine.restEnded(epoch: machine.epoch, at: Instant(nanoseconds: 0))
                let error = RedisError(code: .connectionFailed, message: "refused")
                let turn = machine.lost(epoch: machine.epoch, error, at: Instant(nanoseconds: 0), using: &random)
                guard case .connect(_, let rest) = turn.action else { throw TestFailure("no attempt") }
                try #require(rest >= .zero && rest <= .milliseconds(50))
                rests.insert(rest)
            }
            try #require(rests.count > 25)
        }
    }

    @Test func `a caller gets a typed error when there is no connection in time, with the reason of the last attempt`() {
        var harness = MachineHarness()
        harness.submit(1)
        harness.beginAttempt()
        harness.lose(RedisError(code: .connectionFailed, message: "connection refused"))
        harness.advance(.milliseconds(4999))
        harness.tick()
        #expect(harness.failed.isEmpty)
        harness.advance(.milliseconds(1))
        harness.tick()
        #expect(harness.failures == [Failure(1, .connectionFailed, .notExecuted)])
        #expect(harness.failed[0].error.message.contains("connection refused"))
    }

    @Test func `a caller whose time ends together with an attempt is told why the attempt before it failed`() {
        var harness = MachineHarness()
        harness.submit(1)
        harness.beginAttempt()
        harness.lose(RedisError(code: .connectionFailed, message: "connection refused"))
        harness.beginAttempt()
        harness.advance(.seconds(5))
        harness.tick()
        #expect(harness.failures == [Failure(1, .connectionFailed, .notExecuted)])
        #expect(harness.failed[0].error.message.contains("connection refused"))
        #expect(harness.closedChannels == 1)
        // Nobody waits any more, so no attempt follows.
        #expect(harness.attempts.count == 2)
    }

    @Test func `an attempt that takes too long is given up`() {
        var harness = MachineHarness()
        harness.submit(1)
        harness.beginAttempt()
        let old = harness.machine.epoch
        harness.advance(.seconds(4))
        harness.submit(2)
        harness.advance(.seconds(1))
        harness.tick()
        #expect(harness.closedChannels == 1)
        #expect(harness.failures == [Failure(1, .connectionFailed, .notExecuted)])
        // It answers after all: too late, and the next attempt serves the second caller.
        #expect(harness.machine.connected(epoch: old) == nil)
        harness.connect()
        #expect(harness.flush() == [2])
    }

    @Test func `a greeting that is never answered is given up`() {
        var harness = MachineHarness()
        harness.submit(1)
        harness.beginAttempt()
        _ = harness.machine.connected(epoch: harness.machine.epoch)
        harness.advance(.seconds(5))
        harness.tick()
        #expect(harness.closedChannels == 1)
        #expect(harness.failures == [Failure(1, .connectionFailed, .notExecuted)])
    }

    @Test func `a command without a reply in time costs the connection, and all callers know what they can know`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.flush()
        harness.advance(.milliseconds(1999))
        harness.submit(2)
        harness.flush()
        harness.submit(3)
        harness.tick()
        #expect(harness.failed.isEmpty)
        harness.advance(.milliseconds(1))
        harness.tick()
        #expect(harness.closedChannels == 1)
        #expect(harness.failures == [Failure(1, .timeout, .unknown), Failure(2, .connectionLost, .unknown)])
        harness.connect()
        #expect(harness.flush() == [3])
    }

    @Test func `a cancelled call in flight still times out its connection`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.flush()
        harness.cancel(1)
        harness.advance(.seconds(2))
        harness.tick()
        #expect(harness.closedChannels == 1)
        #expect(harness.failed.isEmpty)
    }

    @Test func `the time-out counts from the writing of the oldest call that has no reply`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.flush()
        harness.advance(.seconds(1))
        harness.submit(2)
        harness.flush()
        harness.receive([.integer(1)])
        harness.advance(.milliseconds(1500))
        harness.tick()
        #expect(harness.failed.isEmpty)
        harness.advance(.milliseconds(500))
        harness.tick()
        #expect(harness.failures == [Failure(2, .timeout, .unknown)])
    }

    @Test func `a call that blocks on the server has that much longer`() {
        var harness = MachineHarness.ready()
        harness.submit(1, patience: .seconds(10))
        harness.flush()
        harness.advance(.milliseconds(11_999))
        harness.tick()
        #expect(harness.failed.isEmpty)
        harness.advance(.milliseconds(1))
        harness.tick()
        #expect(harness.failures == [Failure(1, .timeout, .unknown)])
    }

    @Test func `patience is kept through the wait for a connection, and ends with the call`() {
        var harness = MachineHarness()
        harness.submit(1, patience: .seconds(10))
        harness.connect()
        harness.flush()
        harness.advance(.seconds(11))
        harness.tick()
        harness.receive([.integer(1)])
        #expect(harness.deliveredTo == [1])
        harness.submit(2)
        harness.flush()
        harness.advance(.seconds(2))
        harness.tick()
        #expect(harness.failures == [Failure(2, .timeout, .unknown)])
    }

    @Test func `a call without end never times out`() {
        var harness = MachineHarness.ready()
        harness.submit(1, patience: ConnectionSettings.endless)
        harness.flush()
        harness.advance(.seconds(1_000_000))
        harness.tick()
        #expect(harness.failed.isEmpty)
    }

    @Test func `a caller that gets no turn in time is told that nothing was sent`() {
        var harness = MachineHarness.ready { $0.maximumInFlight = 1 }
        harness.submit(1, patience: .seconds(100))
        harness.submit(2)
        harness.flush()
        harness.advance(.seconds(2))
        harness.tick()
        #expect(harness.failures == [Failure(2, .timeout, .notExecuted)])
        #expect(harness.closedChannels == 0)
    }

    @Test func `an unused connection is closed, and the next caller opens another`() {
        var harness = MachineHarness.ready()
        harness.advance(.milliseconds(59_999))
        harness.tick()
        #expect(harness.closedChannels == 0)
        harness.advance(.milliseconds(1))
        harness.tick()
        #expect(harness.closedChannels == 1)
        #expect(harness.machine.isQuiet)
        harness.submit(1)
        #expect(harness.attempts.map(\.rest) == [.zero])
        harness.connect()
        #expect(harness.flush() == [1])
    }

    @Test func `a connection that must not lose its state is never made again`() {
        var harness = MachineHarness.ready { $0.reconnects = false }
        harness.submit(1)
        harness.flush()
        harness.submit(2)
        harness.lose()
        #expect(harness.failures == [Failure(1, .connectionLost, .unknown), Failure(2, .connectionLost, .notExecuted)])
        #expect(harness.isFinished)
        #expect(harness.submit(3)?.code == .connectionLost)
        #expect(harness.submit(3)?.outcome == .notExecuted)
    }

    @Test func `such a connection says so when it timed out, and waits for a server that is down at first`() {
        var harness = MachineHarness { $0.reconnects = false }
        harness.submit(1)
        harness.beginAttempt()
        harness.lose(RedisError(code: .connectionFailed, message: "connection refused"))
        #expect(harness.failed.isEmpty)
        harness.connect()
        harness.flush()
        harness.advance(.seconds(2))
        harness.tick()
        #expect(harness.failures == [Failure(1, .timeout, .unknown)])
        #expect(harness.isFinished)
    }
}
