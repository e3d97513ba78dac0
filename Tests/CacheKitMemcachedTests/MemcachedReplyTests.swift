import CacheKit
import ScaleTesting
import Testing

@testable import CacheKitMemcached

/// The engines that read replies, without a server.
@Suite struct MemcachedReplyTests {
    private static let names = ["a", "bb", "ccc", "dddd"]

    private static func question() -> ItemsQuestion {
        var question = ItemsQuestion()
        for name in self.names { question.append(name) }
        question.end()
        return question
    }

    /// How an answer is read that comes in pieces of these lengths, the last one with the rest.
    private static func read(_ bytes: [UInt8], pieces: [Int]) -> (items: [[UInt8]?], isComplete: Bool, fault: ReplyFault?) {
        var reply = ItemsReply(to: self.question(), maximumLength: 1000, connection: 1)
        var pending: [UInt8] = []
        var rest = bytes[...]
        for piece in pieces + [bytes.count] {
            pending += rest.prefix(piece)
            rest = rest.dropFirst(piece)
            do {
                let taken = try pending.withUnsafeBytes { try reply.take($0) }
                pending.removeFirst(taken)
            } catch {
                return (reply.items.map { $0?.bytes }, reply.isComplete, error as? ReplyFault)
            }
        }
        return (reply.items.map { $0?.bytes }, reply.isComplete, nil)
    }

    @Test func `a question is one line with the keys in it`() {
        let question = Self.question()
        #expect(String(decoding: question.bytes, as: UTF8.self) == "gets a bb ccc dddd\r\n")
        #expect(question.keys.map { String(decoding: question.bytes[$0], as: UTF8.self) } == Self.names)
    }

    @Test func `items are matched with their keys in any order, and what does not come is not there`() {
        for text in ["VALUE a 1 1 7\r\nx\r\nVALUE ccc 2 0 8\r\n\r\nEND\r\n", "VALUE ccc 2 0 8\r\n\r\nVALUE a 1 1 7\r\nx\r\nEND\r\n"] {
            let answer = Self.read(Array(text.utf8), pieces: [])
            #expect(answer.isComplete && answer.fault == nil)
            #expect(answer.items == [Array("x".utf8), nil, [], nil])
        }
    }

    @Test func `values may hold what looks like the protocol`() {
        let value = "END\r\nVALUE bb 0 1 7\r\nx\r\n"
        let answer = Self.read(Array("VALUE a 0 \(value.utf8.count) 7\r\n\(value)\r\nEND\r\n".utf8), pieces: [])
        #expect(answer.isComplete && answer.items == [Array(value.utf8), nil, nil, nil])
    }

    @Test func `an answer in pieces is read as the whole one, wherever it is cut`() {
        let whole = Array("VALUE bb 0 5 7\r\nab\r\nc\r\nVALUE dddd 4294967295 1 18446744073709551615\r\ny\r\nEND\r\n".utf8)
        for first in 0...whole.count {
            for second in [1, 2, 7] {
                let answer = Self.read(whole, pieces: [first, second])
                #expect(answer.isComplete && answer.items == [nil, Array("ab\r\nc".utf8), nil, Array("y".utf8)])
            }
        }
    }

    @Test func `random answers end no process, and their pieces say what the whole says`() throws {
        let seed = try Seed.fromEnvironment() ?? .random()
        var random = seed.generator()
        for _ in 0..<10_000 {
            let bytes = RandomReply.bytes(keys: Self.names, using: &random)
            let whole = Self.read(bytes, pieces: [])
            let pieces = (0..<4).map { _ in Int.random(in: 0...12, using: &random) }
            let cut = Self.read(bytes, pieces: pieces)
            #expect(whole.fault == cut.fault || (cut.fault != nil && whole.fault != nil), "\(seed)")
            #expect(whole.isComplete == cut.isComplete || whole.fault != nil, "\(seed)")
            if whole.fault == nil { #expect(whole.items == cut.items, "\(seed)") }
            for command in [
                StoreCommand(.set, "k", NewItem(bytes: [1], expiry: 0)),
                StoreCommand(.replace(number: 1), "k", NewItem(bytes: [], expiry: 0)),
                StoreCommand(delete: "k"),
            ] {
                _ = try? bytes.withUnsafeBytes { try command.reply(in: $0) }
            }
        }
    }
}

/// Bytes that a broken server might send: replies of the protocol with parts that are changed, left out, doubled or foreign.
enum RandomReply {
    private static let words = [
        "VALUE ", "END", "STORED", "DELETED", "NOT_FOUND", "EXISTS", "NOT_STORED", "ERROR", "SERVER_ERROR", "CLIENT_ERROR x", "VERSION",
        "VERSION 1.6.18", "STAT a b", "TOUCHED", "OK", "ITEM x", "\r\n", "\r\n", "\r\n", "\n", "\r", " ", " 0 ", " 1 ", " 2 ", " -1", "42",
        "18446744073709551615", "4294967296", "9", "\0", "é", "SERVER_ERROR out of memory storing object\r\n",
        "SERVER_ERROR object too large for cache\r\n",
    ]

    static func bytes(keys: [String], using random: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: bytes += (0..<Int.random(in: 0...20, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            case 1...4:
                let value = (0..<Int.random(in: 0...5, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
                let key = keys.randomElement(using: &random) ?? "k"
                bytes += "VALUE \(key) 0 \(value.count) \(Int.random(in: 0...9, using: &random))\r\n".utf8
                bytes += value + Array("\r\n".utf8)
            default: bytes += (Self.words.randomElement(using: &random) ?? "").utf8
            }
        }
        if Bool.random(using: &random) { bytes += "END\r\n".utf8 }
        // One byte of every other reply is changed.
        if let index = bytes.indices.randomElement(using: &random), Bool.random(using: &random) {
            bytes[index] = UInt8.random(in: .min ... .max, using: &random)
        }
        return bytes
    }
}
