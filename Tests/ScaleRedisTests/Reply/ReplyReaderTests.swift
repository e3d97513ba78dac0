import ScaleTesting
import Testing

@testable import ScaleRedis

@Suite struct ReplyReaderTests {
    static let wellFormed: [(String, [RedisValue])] = [
        ("+OK\r\n", [.status("OK")]),
        ("+\r\n", [.status("")]),
        ("-WRONGTYPE no\r\n", [.error(RedisServerError("WRONGTYPE no"))]),
        (":0\r\n:1000\r\n:-1\r\n", [.integer(0), .integer(1000), .integer(-1)]),
        (":9223372036854775807\r\n:-9223372036854775808\r\n", [.integer(.max), .integer(.min)]),
        ("$5\r\nhello\r\n", [.bulk(Array("hello".utf8))]),
        ("$0\r\n\r\n", [.bulk([])]),
        ("$4\r\n\r\n\r\n\r\n", [.bulk([13, 10, 13, 10])]),
        ("$-1\r\n", [.null]),
        ("*-1\r\n", [.null]),
        ("*0\r\n", [.array([])]),
        ("*2\r\n$1\r\na\r\n:7\r\n", [.array([.bulk([97]), .integer(7)])]),
        ("*3\r\n*0\r\n*-1\r\n*1\r\n$-1\r\n", [.array([.array([]), .null, .array([.null])])]),
        ("*2\r\n-ERR a\r\n+b\r\n", [.array([.error(RedisServerError("ERR a")), .status("b")])]),
        ("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n:2\r\n", [nested(8, .integer(1)), .integer(2)]),
        (
            "*2\r\n*2\r\n:1\r\n:2\r\n*2\r\n:3\r\n*1\r\n+x\r\n",
            [.array([.array([.integer(1), .integer(2)]), .array([.integer(3), .array([.status("x")])])])]
        ),
    ]

    static func nested(_ depth: Int, _ value: RedisValue) -> RedisValue {
        (0..<depth).reduce(value) { value, _ in .array([value]) }
    }

    @Test(arguments: wellFormed)
    func `a reply is the same however its bytes are cut`(text: String, replies: [RedisValue]) {
        for pieces in everySplit(Array(text.utf8)) {
            let reading = Reading(pieces)
            #expect(reading.fault == nil)
            #expect(reading.replies == replies)
        }
    }

    static var tight: RedisReplyLimits {
        var limits = RedisReplyLimits()
        limits.bulkBytes = 10
        limits.arrayElements = 3
        limits.lineBytes = 8
        limits.nesting = 2
        limits.replyBytes = 40
        return limits
    }

    /// For every bound an input that just passes and one that just fails, with the fault.
    static let bounds: [(String, ReplyFault?)] = [
        ("$10\r\n0123456789\r\n", nil),
        ("$11\r\n", .bulkTooLong(11, limit: 10)),
        ("$536870912\r\n", .bulkTooLong(536_870_912, limit: 10)),
        ("$9223372036854775807\r\n", .bulkTooLong(.max, limit: 10)),
        ("$9223372036854775808\r\n", .malformedLength),
        ("$99999999999999999999\r\n", .malformedLength),
        ("$-1\r\n", nil),
        ("$-2\r\n", .malformedLength),
        ("*3\r\n:1\r\n:2\r\n:3\r\n", nil),
        ("*4\r\n", .arrayTooLong(4, limit: 3)),
        ("*2147483647\r\n", .arrayTooLong(2_147_483_647, limit: 3)),
        ("*-1\r\n", nil),
        ("*-2\r\n", .malformedLength),
        ("*0\r\n", nil),
        ("*00\r\n", .malformedLength),
        ("$0\r\n\r\n", nil),
        ("$00\r\n\r\n", .malformedLength),
        ("+\r\n", nil),
        (":-1\r\n", nil),
        (":-01\r\n", .malformedInteger),
        ("+12345678\r\n", nil),
        ("+123456789\r\n", .lineTooLong(limit: 8)),
        ("-12345678\r\n", nil),
        ("-123456789", .lineTooLong(limit: 8)),
        ("*1\r\n*1\r\n:1\r\n", nil),
        ("*1\r\n*1\r\n*1\r\n:1\r\n", .nestedTooDeep(limit: 2)),
        ("*1\r\n*1\r\n*0\r\n", .nestedTooDeep(limit: 2)),
        // 4 + 14 + 14 + 8 = 40 bytes, and one more.
        ("*3\r\n$8\r\n01234567\r\n$8\r\n01234567\r\n$2\r\n01\r\n", nil),
        ("*3\r\n$8\r\n01234567\r\n$8\r\n01234567\r\n$3\r\n012\r\n", .replyTooLong(limit: 40)),
        // The limit is of one reply, however many follow each other.
        ("*2\r\n$8\r\n01234567\r\n$8\r\n01234567\r\n*2\r\n$8\r\n01234567\r\n$8\r\n01234567\r\n", nil),
        (":9223372036854775807\r\n", nil),
        (":9223372036854775808\r\n", .malformedInteger),
        (":-9223372036854775808\r\n", nil),
        (":-9223372036854775809\r\n", .malformedInteger),
    ]

    @Test(arguments: bounds)
    func `what is within a bound passes and what is beyond it fails, however it is cut`(text: String, fault: ReplyFault?) {
        for pieces in everySplit(Array(text.utf8)) {
            #expect(Reading(pieces, limits: Self.tight).fault == fault)
        }
    }

    static let malformed: [(String, ReplyFault)] = [
        ("hello\r\n", .unknownType(UInt8(ascii: "h"))),
        ("\r\n", .unknownType(13)),
        ("_\r\n", .unknownType(UInt8(ascii: "_"))),
        ("#t\r\n", .unknownType(UInt8(ascii: "#"))),
        (",1.5\r\n", .unknownType(UInt8(ascii: ","))),
        ("(1\r\n", .unknownType(UInt8(ascii: "("))),
        ("!5\r\nerror\r\n", .unknownType(UInt8(ascii: "!"))),
        ("=7\r\ntxt:abc\r\n", .unknownType(UInt8(ascii: "="))),
        ("%1\r\n+a\r\n+b\r\n", .unknownType(UInt8(ascii: "%"))),
        ("~1\r\n+a\r\n", .unknownType(UInt8(ascii: "~"))),
        ("|1\r\n+a\r\n+b\r\n", .unknownType(UInt8(ascii: "|"))),
        (">2\r\n+a\r\n+b\r\n", .unknownType(UInt8(ascii: ">"))),
        ("+OK\n", .brokenLineEnd),
        ("+OK\rX", .brokenLineEnd),
        ("+a\r\r\n", .brokenLineEnd),
        (":\r\n", .malformedInteger),
        (":-\r\n", .malformedInteger),
        (":+1\r\n", .malformedInteger),
        (":1.5\r\n", .malformedInteger),
        (": 1\r\n", .malformedInteger),
        (":01\r\n", .malformedInteger),
        (":-0\r\n", .malformedInteger),
        (":--1\r\n", .malformedInteger),
        (":1-\r\n", .malformedInteger),
        (":1\n", .malformedInteger),
        ("$\r\n", .malformedLength),
        ("$1a\r\n", .malformedLength),
        ("$0x5\r\n", .malformedLength),
        ("$05\r\nhello\r\n", .malformedLength),
        ("*\r\n", .malformedLength),
        ("*1 \r\n", .malformedLength),
        ("$2\r\nabc\r\n", .brokenLineEnd),
        ("$2\r\nab\n\n", .brokenLineEnd),
        ("$2\r\nab\r\r", .brokenLineEnd),
        ("$0\r\nx\r\n", .brokenLineEnd),
        ("*2\r\n+a\r\n?", .unknownType(UInt8(ascii: "?"))),
    ]

    @Test(arguments: malformed)
    func `malformed bytes have one exact fault, however they are cut`(text: String, fault: ReplyFault) {
        for pieces in everySplit(Array(text.utf8)) {
            #expect(Reading(pieces).fault == fault)
        }
    }

    @Test(arguments: malformed)
    func `replies before a fault are delivered, and nothing after it`(text: String, fault: ReplyFault) {
        for pieces in everySplit(Array("+first\r\n".utf8) + Array(text.utf8) + Array("+last\r\n".utf8)) {
            let reading = Reading(pieces)
            #expect(reading.replies == [.status("first")])
            #expect(reading.fault == fault)
        }
    }

    @Test func `a fault is remembered`() {
        let reader = ReplyReader(limits: .init())
        var replies: [RedisValue] = []
        for text in ["?", "+OK\r\n"] {
            #expect(throws: ReplyFault.unknownType(UInt8(ascii: "?"))) {
                try Array(text.utf8).withUnsafeBytes { try reader.feed($0, into: &replies) }
            }
        }
        #expect(replies.isEmpty)
    }

    @Test func `the default limits refuse what a server would not send`() {
        #expect(Reading([Array("$536870912\r\n".utf8)]).fault == .bulkTooLong(536_870_912, limit: 134_217_728))
        #expect(Reading([Array("$134217728\r\n".utf8)]).fault == nil)
        #expect(Reading([Array("*2147483647\r\n".utf8)]).fault == .arrayTooLong(2_147_483_647, limit: 1_048_576))
        #expect(Reading([Array("*1048576\r\n".utf8)]).fault == nil)
        #expect(Reading([[UInt8(ascii: "+")] + Array(repeating: 97, count: 65_537)]).fault == .lineTooLong(limit: 65_536))
        let deep = Array(repeatElement("*1\r\n", count: 9).joined().utf8)
        #expect(Reading([deep]).fault == .nestedTooDeep(limit: 8))
    }

    @Test func `nesting beyond what hiredis can read is refused by our own check`() {
        var limits = RedisReplyLimits()
        limits.nesting = 100
        let deep = Array(repeatElement("*1\r\n", count: 9).joined().utf8)
        #expect(Reading([deep], limits: limits).fault == .nestedTooDeep(limit: 8))
    }

    @Test func `large replies and many small ones come whole`() {
        let big = [UInt8](repeating: 0xAB, count: 3_000_000)
        let bytes = Array("$3000000\r\n".utf8) + big + [13, 10]
        #expect(Reading([bytes]).replies == [.bulk(big)])
        let pieces = stride(from: 0, to: bytes.count, by: 65_536).map { Array(bytes[$0..<min($0 + 65_536, bytes.count)]) }
        #expect(Reading(pieces).replies == [.bulk(big)])
        let many = Array(repeatElement("$3\r\nabc\r\n", count: 50_000).joined().utf8)
        #expect(Reading([many]).replies.count == 50_000)
    }

    @Test func `random replies survive random cuts`() async throws {
        try await withSeed { random in
            for _ in 0..<200 {
                let values = (0..<Int.random(in: 1...8, using: &random)).map { _ in Self.randomValue(&random, depth: 0) }
                let bytes = values.flatMap { Self.encode($0) }
                var pieces: [[UInt8]] = []
                var rest = bytes[...]
                while !rest.isEmpty {
                    let piece = rest.prefix(Int.random(in: 1...40, using: &random))
                    rest = rest.dropFirst(piece.count)
                    pieces.append(Array(piece))
                }
                let reading = Reading(pieces)
                try #require(reading.fault == nil)
                try #require(reading.replies == values)
            }
        }
    }

    @Test func `random damage never traps, and never passes our check only to fail in the reader`() async throws {
        try await withSeed { random in
            for _ in 0..<2000 {
                var bytes = (0..<3).flatMap { _ in Self.encode(Self.randomValue(&random, depth: 0)) }
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let index = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: bytes[index] = "0123456789-+:$*\r\n".utf8.randomElement(using: &random) ?? 0
                    case 1: bytes.remove(at: index)
                    default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                    }
                    if bytes.isEmpty { bytes = [UInt8(ascii: "*")] }
                }
                let whole = Reading([bytes])
                if case .refusedByReader(let reason) = whole.fault { Issue.record("the reader refused: \(reason)") }
                try #require(Reading(bytes.map { [$0] }) == whole)
            }
        }
    }

    static func randomValue(_ random: inout SeededGenerator, depth: Int) -> RedisValue {
        switch Int.random(in: 0..<(depth < 6 ? 7 : 5), using: &random) {
        case 0: .status(String(Int.random(in: 0...9999, using: &random)))
        case 1: .error(RedisServerError("ERR \(Int.random(in: 0...9, using: &random))"))
        case 2: .integer(Int64.random(in: .min ... .max, using: &random))
        case 3: .null
        case 4: .bulk((0..<Int.random(in: 0...50, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        default:
            .array((0..<Int.random(in: 0...4, using: &random)).map { _ in Self.randomValue(&random, depth: depth + 1) })
        }
    }

    static func encode(_ value: RedisValue) -> [UInt8] {
        switch value {
        case .status(let text): Array("+\(text)\r\n".utf8)
        case .error(let error): Array("-\(error.message)\r\n".utf8)
        case .integer(let value): Array(":\(value)\r\n".utf8)
        case .null: Array("$-1\r\n".utf8)
        case .bulk(let bytes): Array("$\(bytes.count)\r\n".utf8) + bytes + [13, 10]
        case .array(let elements): Array("*\(elements.count)\r\n".utf8) + elements.flatMap { Self.encode($0) }
        }
    }
}
