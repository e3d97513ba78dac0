import Testing

@testable import BalancerKitProxy

@Suite struct ResponseHeadTests {
    func read(_ text: [UInt8], isHead: Bool = false, cuts: [Int] = []) -> Result<ResponseHead?, HTTPViolation> {
        var parser = ResponseHeadParser(limits: HeadLimits())
        for end in cuts + [text.count] {
            do {
                let length = try text[..<end].withUnsafeBytes { bytes throws(HTTPViolation) in
                    try parser.parse(bytes, isAnswerToHead: isHead)
                }
                if length != nil { return .success(parser.head) }
            } catch {
                return .failure(error)
            }
        }
        return .success(nil)
    }

    func head(_ text: String, isHead: Bool = false) -> ResponseHead? {
        try? self.read(Array(text.utf8), isHead: isHead).get()
    }

    static let accepted: [(text: String, status: Int, framing: BodyFraming, persists: Bool)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 200, .length(3), true),
        ("HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n", 200, .length(3), true),
        ("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n", 200, .length(3), true),
        ("HTTP/1.1 599 Odd reason \u{e9}\r\nContent-Length: 0\r\n\r\n", 599, .none, true),
        ("HTTP/1.1 100 Continue\r\n\r\n", 100, .none, true),
        ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 103, .none, true),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, .none, true),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, .none, true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, .none, true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, .chunked, true),
        ("HTTP/1.1 200 OK\r\n\r\n", 200, .untilClose, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n", 200, .length(1), false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", 200, .length(1), false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", 200, .length(1), true),
        ("HTTP/1.1 200 OK\r\nX_Y: 1\r\nContent-Length: 1\r\n\r\n", 200, .length(1), true),
    ]

    static let refused: [(text: String, violation: HTTPViolation)] = [
        ("garbage\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1\r\n\r\n", .malformedStatusLine),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 20 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 +20 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 600 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/2.0 200 OK\r\n\r\n", .malformedStatusLine),
        ("http/1.1 200 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 200 O\u{0}K\r\n\r\n", .controlCharacter),
        ("HTTP/1.1 101 Switching\r\n\r\n", .unsolicitedUpgrade),
        ("HTTP/1.1 200 OK\nContent-Length: 1\n\n", .bareLineFeed),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n", .repeatedContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n", .repeatedContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\n", .malformedContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", .conflictingFraming),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .unsupportedTransferEncoding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", .repeatedTransferEncoding),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncodingInHTTP10),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", .foldedLine),
        ("HTTP/1.1 200 OK\r\nX: a\u{0}b\r\n\r\n", .controlCharacter),
        ("HTTP/1.1 200 OK\r\nX\r\n\r\n", .missingColon),
        ("HTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n", .malformedFieldName),
        ("HTTP/1.1 200 OK\r\n: 1\r\n\r\n", .malformedFieldName),
    ]

    @Test(arguments: Self.accepted.indices) func `a good response head is read alike however it is cut`(index: Int) throws {
        let (text, status, framing, persists) = Self.accepted[index]
        let bytes = Array(text.utf8)
        for cuts in [[]] + (0..<bytes.count).map({ [$0] }) + [Array(0..<bytes.count)] {
            let head = try #require(try self.read(bytes, cuts: cuts).get())
            #expect(head.status == status)
            #expect(head.framing == framing)
            #expect(head.persists == persists)
        }
    }

    @Test(arguments: Self.refused.indices) func `a bad response head is refused for its rule`(index: Int) {
        let (text, violation) = Self.refused[index]
        let bytes = Array(text.utf8)
        guard case .failure(let found) = self.read(bytes) else {
            Issue.record("passes: \(text.debugDescription)")
            return
        }
        #expect(found == violation, "\(text.debugDescription)")
        for cut in 0..<bytes.count {
            guard case .failure = self.read(bytes, cuts: [cut]) else {
                Issue.record("passes cut at \(cut): \(text.debugDescription)")
                continue
            }
        }
    }

    @Test func `an answer to HEAD has no body whatever it says`() {
        #expect(self.head("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", isHead: true)?.framing == BodyFraming.none)
        #expect(self.head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", isHead: true)?.framing == BodyFraming.none)
        #expect(self.head("HTTP/1.1 200 OK\r\n\r\n", isHead: true)?.framing == BodyFraming.none)
    }

    @Test func `contradictory framing is refused even where no body follows`() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(throws: HTTPViolation.conflictingFraming) { try self.read(Array(text.utf8), isHead: true).get() }
    }

    @Test func `an overlong response header is refused`() {
        let text = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 33 << 10)
        #expect(throws: HTTPViolation.headerTooLarge) { try self.read(Array(text.utf8)).get() }
    }
}
