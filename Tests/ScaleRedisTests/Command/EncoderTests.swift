import CScaleHiredis
import NIOCore
import ScaleTesting
import Testing

@testable import ScaleRedis

@Suite struct EncoderTests {
    /// What hiredis makes of the same words.
    static func oracle(_ words: [[UInt8]]) -> [UInt8] {
        var target: UnsafeMutablePointer<CChar>?
        var lengths = words.map(\.count)
        let buffers = words.map { word in
            let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, word.count))
            copy.initialize(from: word, count: word.count)
            return copy
        }
        defer { buffers.forEach { $0.deallocate() } }
        var pointers: [UnsafePointer<CChar>?] = buffers.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
        let length = redisFormatCommandArgv(&target, Int32(words.count), &pointers, &lengths)
        defer { redisFreeCommand(target) }
        return (0..<Int(length)).map { UInt8(bitPattern: target![$0]) }
    }

    static func encode(_ command: some WireCommand) -> [UInt8] {
        var buffer = ByteBuffer()
        command.append(to: &buffer)
        return Array(buffer.readableBytesView)
    }

    static let cases: [(RedisCommand, [String])] = [
        (RedisCommand("PING"), ["PING"]),
        (RedisCommand("SET", ["key", ""]), ["SET", "key", ""]),
        (RedisCommand("SET", ["k\r\n$3\r\n", "GET\r\n*1"]), ["SET", "k\r\n$3\r\n", "GET\r\n*1"]),
        (RedisCommand("SET", ["größe", "☃\u{0}"]), ["SET", "größe", "☃\u{0}"]),
        (RedisCommand("INCRBY", ["n", 0]), ["INCRBY", "n", "0"]),
        (RedisCommand("INCRBY", ["n", 10]), ["INCRBY", "n", "10"]),
        (RedisCommand("INCRBY", ["n", -1]), ["INCRBY", "n", "-1"]),
        (RedisCommand("INCRBY", ["n", .init(Int64.max)]), ["INCRBY", "n", "9223372036854775807"]),
        (RedisCommand("INCRBY", ["n", .init(Int64.min)]), ["INCRBY", "n", "-9223372036854775808"]),
        (RedisCommand("INCRBY", ["n", .init(UInt64.max)]), ["INCRBY", "n", "18446744073709551615"]),
        (RedisCommand("ZADD", ["z", .init(0.1), "a"]), ["ZADD", "z", "0.1", "a"]),
        (RedisCommand("ZADD", ["z", .init(-Double.infinity), "a"]), ["ZADD", "z", "-inf", "a"]),
        (RedisCommand("ZADD", ["z", .init(1e300), "a"]), ["ZADD", "z", "1e+300", "a"]),
    ]

    @Test(arguments: cases)
    func `a command is encoded as hiredis does`(command: RedisCommand, words: [String]) {
        #expect(Self.encode(command) == Self.oracle(words.map { Array($0.utf8) }))
    }

    @Test func `random commands are encoded as hiredis does`() async throws {
        try await withSeed { random in
            for _ in 0..<300 {
                let words = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                    (0..<[0, 1, 9, 10, 99, 100, 1000].randomElement(using: &random)!).map { _ in UInt8.random(in: 0...255, using: &random) }
                }
                let name = "N" + String(words.count)
                let command = RedisCommand(name, words.map { RedisArgument($0) })
                try #require(Self.encode(command) == Self.oracle([Array(name.utf8)] + words))
            }
        }
    }

    @Test func `a batch is its commands one after the other`() {
        let commands = [RedisCommand("GET", ["a"]), RedisCommand("PING"), RedisCommand("SET", ["a", 1])]
        let batch = CommandBatch(commands: commands)
        #expect(Self.encode(batch) == commands.flatMap { Self.encode($0) })
        #expect(batch.replyCount == 3)
    }

    @Test(arguments: ["", "k", "größe", "k\r\n$3\r\n", String(repeating: "x", count: 1000)])
    func `a command whose head is written beforehand is encoded like any other`(key: String) {
        let encoded = Self.encode(KeyCommand.get(key))
        #expect(encoded == Self.oracle([Array("GET".utf8), Array(key.utf8)]))
        #expect(encoded.count <= KeyCommand.get(key).encodedCapacity)
    }

    @Test func `no encoding is longer than it said before`() {
        for (command, _) in Self.cases {
            #expect(Self.encode(command).count <= command.encodedCapacity)
        }
    }

    @Test func `encoding stops at the end of its room`() {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
        defer { memory.deallocate() }
        for room in 0...16 {
            memory.initializeMemory(as: UInt8.self, repeating: 0xEE)
            var encoder = RESPEncoder(target: UnsafeMutableRawBufferPointer(rebasing: memory[..<room]))
            RedisCommand("SET", ["key", .init(Int64.min), "a long value"]).encode(into: &encoder)
            #expect(encoder.count <= room)
            #expect(memory[room...].allSatisfy { $0 == 0xEE })
        }
    }

    @Test func `a description shows the name and no argument`() {
        let command = RedisCommand("SET", ["key", "secret"])
        #expect("\(command)" == "SET (2 arguments)")
        #expect(!"\(command)".contains("secret"))
    }
}
