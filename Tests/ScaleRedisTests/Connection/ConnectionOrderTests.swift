import ScaleTesting
import Testing

@testable import ScaleRedis

/// Who gets which reply.
@Suite struct ConnectionOrderTests {
    @Test func `replies go to callers in the order of their commands`() {
        var harness = MachineHarness.ready()
        for caller in 1...3 { harness.submit(caller) }
        #expect(harness.flush() == [1, 2, 3])
        harness.receive([.integer(1), .integer(2)])
        harness.receive([.integer(3)])
        #expect(harness.deliveredTo == [1, 2, 3])
        #expect(harness.delivered.map(\.reply) == [.integer(1), .integer(2), .integer(3)])
    }

    @Test func `only the first caller since the last flush wakes the loop`() {
        var harness = MachineHarness.ready()
        for caller in 1...3 { harness.submit(caller) }
        #expect(harness.wakes == 1)
        harness.flush()
        harness.submit(4)
        #expect(harness.wakes == 2)
    }

    /// A harness in which the callers from 1 to `count` were answered together.
    static func answered(_ count: Int) -> MachineHarness {
        var harness = MachineHarness.ready()
        for caller in 1...count { harness.submit(caller) }
        harness.flush()
        harness.receive((1...count).map { .integer(Int64($0)) })
        harness.wakes = 0
        return harness
    }

    @Test func `callers who were answered together are written together when they come back`() {
        var harness = Self.answered(3)
        var written: [[Int]?] = []
        for caller in 4...6 {
            harness.submit(caller)
            written.append(harness.look())
        }
        #expect(written == [nil, nil, [4, 5, 6]])
        #expect(harness.wakes == 1)
    }

    @Test func `nobody waits for a caller who does not come back`() {
        var harness = Self.answered(3)
        harness.submit(4)
        harness.submit(5)
        let looks = [harness.look(), harness.look()]
        #expect(looks == [nil, [4, 5]])
        // Who comes after that wakes the loop again, and goes at once.
        harness.submit(6)
        let written = harness.look()
        #expect(written == [6])
        #expect(harness.wakes == 2)
    }

    @Test func `a lone caller is written at once, every time`() {
        var harness = MachineHarness.ready()
        for caller in 1...3 {
            harness.submit(caller)
            let written = harness.look()
            #expect(written == [caller])
            harness.receive([.integer(Int64(caller))])
        }
    }

    @Test func `a write waits for a bounded number of turns, however many come`() {
        var harness = Self.answered(100)
        var turns = 0
        var written: [Int]?
        for caller in 101...200 where written == nil {
            harness.submit(caller)
            written = harness.look()
            turns += 1
        }
        #expect(turns == Machine.maximumLooks + 1)
        #expect(written == Array(101...100 + turns))
    }

    @Test func `a batch gets its replies as one array and shifts nobody`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.submit(2, replies: 3)
        harness.submit(3)
        harness.flush()
        harness.receive([.integer(1), .integer(21), .error(RedisServerError("ERR no"))])
        #expect(harness.deliveredTo == [1])
        harness.receive([.integer(23), .integer(3)])
        #expect(harness.deliveredTo == [1, 2, 3])
        #expect(harness.delivered[1].reply == .array([.integer(21), .error(RedisServerError("ERR no")), .integer(23)]))
    }

    @Test func `a cancelled caller's late reply is discarded and reaches nobody else`() {
        var harness = MachineHarness.ready()
        for caller in 1...3 { harness.submit(caller) }
        harness.flush()
        #expect(harness.cancel(2) == 2)
        #expect(harness.cancel(2) == nil)
        harness.receive([.integer(1), .integer(2), .integer(3)])
        #expect(harness.deliveredTo == [1, 3])
        #expect(harness.delivered.map(\.reply) == [.integer(1), .integer(3)])
    }

    @Test func `a batch that is cancelled half way counts off all its replies`() {
        var harness = MachineHarness.ready()
        harness.submit(1, replies: 3)
        harness.submit(2)
        harness.flush()
        harness.receive([.integer(11)])
        #expect(harness.cancel(1) == 1)
        harness.receive([.integer(12), .integer(13), .integer(2)])
        #expect(harness.deliveredTo == [2])
        #expect(harness.delivered[0].reply == .integer(2))
    }

    @Test func `a caller that was answered cannot be cancelled any more`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.flush()
        harness.receive([.integer(1)])
        #expect(harness.cancel(1) == nil)
    }

    @Test func `callers beyond the bound wait in order, and go when there is room`() {
        var harness = MachineHarness.ready { $0.maximumInFlight = 2 }
        for caller in 1...5 { harness.submit(caller) }
        #expect(harness.flush() == [1, 2])
        harness.receive([.integer(1)])
        #expect(harness.flush() == [3])
        harness.receive([.integer(2), .integer(3)])
        #expect(harness.flush() == [4, 5])
        harness.receive([.integer(4), .integer(5)])
        #expect(harness.deliveredTo == [1, 2, 3, 4, 5])
    }

    @Test func `nobody overtakes those who wait`() {
        var harness = MachineHarness.ready { $0.maximumInFlight = 2 }
        harness.submit(1)
        harness.submit(2, replies: 2)
        harness.submit(3)
        #expect(harness.flush() == [1])
        harness.receive([.integer(1)])
        #expect(harness.flush() == [2, 2])
        harness.receive([.integer(2), .integer(2)])
        #expect(harness.flush() == [3])
    }

    @Test func `a batch larger than the bound goes alone`() {
        var harness = MachineHarness.ready { $0.maximumInFlight = 2 }
        harness.submit(1, replies: 5)
        harness.submit(2)
        #expect(harness.flush() == [1, 1, 1, 1, 1])
        harness.receive((0..<5).map { .integer($0) })
        #expect(harness.flush() == [2])
    }

    @Test func `a waiting caller that was cancelled is never written`() {
        var harness = MachineHarness.ready { $0.maximumInFlight = 1 }
        for caller in 1...3 { harness.submit(caller) }
        #expect(harness.cancel(2) == 2)
        harness.flush()
        harness.receive([.integer(1)])
        #expect(harness.flush() == [3])
    }

    @Test func `a caller over the bound of those who wait is refused`() {
        var harness = MachineHarness.ready {
            $0.maximumInFlight = 1
            $0.maximumWaiting = 2
        }
        for caller in 1...3 { #expect(harness.submit(caller) == nil) }
        #expect(harness.submit(4)?.code == .overloaded)
        harness.cancel(2)
        #expect(harness.submit(5) == nil)
    }

    @Test func `callers wait while the socket takes no more, and nothing is written`() {
        var harness = MachineHarness.ready { $0.maximumUnwrittenBytes = 50 }
        harness.setWritable(false)
        for caller in 1...4 { harness.submit(caller) }
        #expect(harness.wakes == 0)
        #expect(harness.flush().isEmpty)
        #expect(harness.machine.waiting.count == 1)
        harness.setWritable(true)
        #expect(harness.wakes == 1)
        #expect(harness.flush() == [1, 2, 3])
        harness.receive([.integer(1)])
        #expect(harness.flush() == [4])
    }

    @Test func `a reply that nobody asked for costs the connection`() {
        var harness = MachineHarness.ready()
        harness.submit(1)
        harness.flush()
        harness.submit(2)
        harness.receive([.integer(1), .integer(99)])
        #expect(harness.deliveredTo == [1])
        #expect(harness.closedChannels == 1)
        // The second was not written yet: it is none of the culprit's business and is sent on the next connection.
        #expect(harness.failed.isEmpty)
        harness.connect()
        #expect(harness.flush() == [2])
    }

    /// callers: come, are cancelled, are answered, in any order; the model is a list of who must get what.
    @Test func `every reply matches its request under random schedules`() async throws {
        try await withSeeds(50) { random in
            var harness = MachineHarness.ready { $0.maximumInFlight = Int.random(in: 1...10, using: &random) }
            var written: [Int] = []
            var cancelled: Set<Int> = []
            var expected: [Int] = []
            var next = 1
            for _ in 0..<400 {
                switch Int.random(in: 0..<6, using: &random) {
                case 0, 1:
                    harness.submit(next)
                    next += 1
                case 2:
                    let victim = Int.random(in: 1..<next + 1, using: &random)
                    if harness.cancel(victim) != nil { cancelled.insert(victim) }
                case 3:
                    written += harness.flush()
                default:
                    guard !written.isEmpty else { continue }
                    let count = Int.random(in: 1...written.count, using: &random)
                    let answered = written.prefix(count)
                    written.removeFirst(count)
                    expected += answered.filter { !cancelled.contains($0) }
                    harness.receive(answered.map { .integer(Int64($0)) })
                }
            }
            while true {
                written += harness.flush()
                guard !written.isEmpty else { break }
                expected += written.filter { !cancelled.contains($0) }
                harness.receive(written.map { .integer(Int64($0)) })
                written = []
            }
            try #require(harness.deliveredTo == expected)
            try #require(harness.delivered.allSatisfy { $0.reply == .integer(Int64($0.waiter)) })
            try #require(Set(expected).union(cancelled) == Set(1..<next))
            try #require(harness.failed.isEmpty)
        }
    }

    /// The bytes of a conversation, cut at every point: what a caller gets depends on the bytes alone.
    @Test func `replies reach their callers however their bytes are cut`() {
        let bytes = Array("+one\r\n*2\r\n:1\r\n$3\r\ntwo\r\n-ERR three\r\n$-1\r\n".utf8)
        let expected: [RedisValue] = [
            .status("one"), .array([.integer(1), .bulk(Array("two".utf8))]), .error(RedisServerError("ERR three")), .null,
        ]
        for pieces in everySplit(bytes) {
            var harness = MachineHarness.ready()
            for caller in 1...4 { harness.submit(caller) }
            harness.flush()
            let reader = ReplyReader(limits: .init())
            for piece in pieces {
                var replies: [RedisValue] = []
                try? piece.withUnsafeBytes { try reader.feed($0, into: &replies) }
                harness.receive(replies)
            }
            #expect(harness.deliveredTo == [1, 2, 3, 4])
            #expect(harness.delivered.map(\.reply) == expected)
        }
    }
}
