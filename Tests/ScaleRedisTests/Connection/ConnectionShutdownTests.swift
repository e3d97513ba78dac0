import Testing

@testable import ScaleRedis

@Suite struct ConnectionShutdownTests {
    @Test func `calls in flight finish, new ones are refused, then it ends`() {
        var harness = MachineHarness.ready { $0.maximumInFlight = 1 }
        harness.submit(1)
        harness.submit(2)
        harness.flush()
        harness.shutDown()
        #expect(!harness.isFinished)
        #expect(harness.submit(3)?.code == .clientShutDown)
        harness.receive([.integer(1)])
        #expect(harness.flush() == [2])
        #expect(!harness.isFinished)
        harness.receive([.integer(2)])
        #expect(harness.isFinished)
        #expect(harness.closedChannels == 1)
        #expect(harness.deliveredTo == [1, 2])
    }

    @Test func `what does not finish in time fails`() {
        var harness = MachineHarness.ready { $0.maximumInFlight = 1 }
        harness.submit(1)
        harness.submit(2)
        harness.flush()
        harness.shutDown(within: .seconds(1))
        harness.advance(.seconds(1))
        harness.tick()
        #expect(harness.isFinished)
        #expect(harness.failures == [Failure(1, .clientShutDown, .unknown), Failure(2, .clientShutDown, .notExecuted)])
    }

    @Test func `an idle or unconnected one ends at once`() {
        var idle = MachineHarness.ready()
        idle.shutDown()
        #expect(idle.isFinished && idle.closedChannels == 1)
        var fresh = MachineHarness()
        fresh.shutDown()
        #expect(fresh.isFinished)
        #expect(fresh.submit(1)?.code == .clientShutDown)
    }

    @Test func `callers who wait for a connection are told`() {
        var harness = MachineHarness()
        harness.submit(1)
        harness.shutDown()
        #expect(harness.failures == [Failure(1, .clientShutDown, .notExecuted)])
        #expect(harness.isFinished)
        // The attempt under way finds that it is not wanted any more.
        #expect(harness.machine.connected(epoch: harness.machine.epoch) == nil)
    }

    @Test func `a connection lost while draining ends it`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.flush()
        harness.shutDown()
        harness.lose()
        #expect(harness.isFinished)
        #expect(harness.failures == [Failure(1, .connectionLost, .unknown)])
        #expect(harness.attempts.isEmpty)
    }

    @Test func `a second shutdown changes nothing`() {
        var harness = MachineHarness.ready()
        harness.shutDown()
        harness.isFinished = false
        harness.shutDown()
        #expect(harness.isFinished)
        #expect(harness.closedChannels == 1)
    }
}
