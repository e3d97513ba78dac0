import NIOCore
import ScaleCore
import Testing

@testable import ScaleRedis

@Suite struct GreetingTests {
    static let full = Greeting(user: "app", password: Secret("s3cret"), clientName: "web", database: 3)

    @Test func `user, password, name and database are sent on every connection, and a ping last`() {
        var harness = MachineHarness { $0.greeting = Self.full }
        for round in 1...2 {
            harness.submit(round)
            harness.beginAttempt()
            let bytes = harness.machine.connected(epoch: harness.machine.epoch)
            let words = Reading([bytes.map { Array($0.readableBytesView) } ?? []]).replies.map { $0.array?.compactMap(\.string) }
            #expect(words == [["AUTH", "app", "s3cret"], ["CLIENT", "SETNAME", "web"], ["SELECT", "3"], ["PING"]])
            harness.receive([.status("OK"), .status("OK"), .status("OK")])
            #expect(harness.flush().isEmpty)
            harness.receive([.status("PONG")])
            #expect(harness.flush() == [round])
            harness.receive([.integer(Int64(round))])
            harness.lose()
        }
        #expect(harness.deliveredTo == [1, 2])
    }

    @Test func `a password without a user is sent alone`() {
        var greeting = Greeting()
        greeting.password = Secret("p")
        var bytes = ByteBuffer()
        greeting.append(to: &bytes)
        #expect(String(buffer: bytes).hasPrefix("*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n"))
    }

    @Test func `wrong credentials reach every caller at once and are not tried again for a while`() {
        var harness = MachineHarness { $0.greeting = Self.full }
        harness.submit(1)
        harness.submit(2)
        harness.beginAttempt()
        _ = harness.machine.connected(epoch: harness.machine.epoch)
        harness.receive([.error(RedisServerError("WRONGPASS invalid username-password pair or user is disabled."))])
        #expect(
            harness.failures == [Failure(1, .authenticationFailed, .notExecuted), Failure(2, .authenticationFailed, .notExecuted)])
        #expect(harness.closedChannels == 1)
        #expect(harness.attempts.count == 1)
        #expect(!"\(harness.failed[0].error)".contains("s3cret"))
        // Nothing is tried in the background, nor for callers who come soon.
        harness.advance(.milliseconds(4999))
        harness.tick()
        #expect(harness.submit(3)?.code == .authenticationFailed)
        #expect(harness.attempts.count == 1)
        #expect(harness.machine.isQuiet)
        // Later a caller is worth one more attempt: the server's users may have been corrected.
        harness.advance(.milliseconds(1))
        #expect(harness.submit(4) == nil)
        #expect(harness.attempts.count == 2)
        harness.connect()
        #expect(harness.flush() == [4])
    }

    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", Greeting.Step.ping, RedisError.Code.connectionFailed, true),
        ("MASTERDOWN Link with MASTER is down", .ping, .connectionFailed, true),
        ("LOADING Redis is loading the dataset in memory", .authenticate, .connectionFailed, true),
        ("ERR DB index is out of range", .select, .connectionFailed, true),
        ("NOAUTH Authentication required.", .ping, .authenticationFailed, false),
        ("NOAUTH Authentication required.", .setName, .authenticationFailed, false),
        ("ERR AUTH <password> called without any password configured for the default user.", .authenticate, .authenticationFailed, false),
        ("NOPERM this user has no permissions to run the 'select' command", .select, .authenticationFailed, false),
    ])
    func `an error in the greeting has its meaning`(text: String, step: Greeting.Step, code: RedisError.Code, isRetried: Bool) {
        switch Greeting.judge(.error(RedisServerError(text)), to: step) {
        case .proceed: Issue.record("proceeded")
        case .failed(let error):
            #expect(isRetried)
            #expect(error.code == code)
        case .refused(let error):
            #expect(!isRetried)
            #expect(error.code == code)
        }
    }

    @Test(arguments: [Greeting.Step.setName, .ping])
    func `a user who may neither ping nor set a name can work`(step: Greeting.Step) {
        guard case .proceed = Greeting.judge(.error(RedisServerError("NOPERM no")), to: step) else {
            Issue.record("did not proceed")
            return
        }
    }

    @Test func `a server that is loading its data is asked again after a rest`() {
        var harness = MachineHarness()
        harness.submit(1)
        harness.beginAttempt()
        _ = harness.machine.connected(epoch: harness.machine.epoch)
        harness.receive([.error(RedisServerError("LOADING Redis is loading the dataset in memory"))])
        #expect(harness.failed.isEmpty)
        #expect(harness.closedChannels == 1)
        #expect(harness.attempts.map(\.rest) == [.zero, .milliseconds(50)])
        harness.connect()
        #expect(harness.flush() == [1])
    }

    @Test func `a password is never printed`() {
        let text = "\(Self.full) \(String(reflecting: Self.full))"
        #expect(!text.contains("s3cret"))
        var dumped = ""
        dump(Self.full, to: &dumped)
        #expect(!dumped.contains("s3cret"))
    }
}
