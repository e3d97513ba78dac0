import Testing

@testable import BalancerKitProxy

/// What reading a head came to: its length, the rule that it breaks, or neither yet.
enum HeadOutcome: Equatable {
    case incomplete
    case complete(Int)
    case violation(HTTPViolation)
}

func read(_ text: [UInt8], limits: HeadLimits = HeadLimits(), pieces: [Int] = []) -> (HeadOutcome, RequestHeadParser) {
    var parser = RequestHeadParser(limits: limits)
    for end in pieces + [text.count] {
        do {
            let progress = try text[..<end].withUnsafeBytes { bytes throws(HTTPViolation) in try parser.parse(UnsafeRawBufferPointer(bytes))
            }
            if case .complete(let length) = progress { return (.complete(length), parser) }
        } catch {
            return (.violation(error), parser)
        }
    }
    return (.incomplete, parser)
}

extension ArraySlice<UInt8> {
    func withUnsafeBytes<Value>(_ body: (UnsafeRawBufferPointer) throws(HTTPViolation) -> Value) throws(HTTPViolation) -> Value {
        let result = Array(self).withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            Result { () throws(HTTPViolation) in try body(bytes) }
        }
        return try result.get()
    }
}

func outcome(_ text: String, limits: HeadLimits = HeadLimits()) -> HeadOutcome { read(Array(text.utf8), limits: limits).0 }

/// A head with Host and these further lines.
func get(_ lines: String..., target: String = "/a", version: String = "HTTP/1.1", method: String = "GET", host: String = "a") -> String {
    "\(method) \(target) \(version)\r\nHost: \(host)\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
}

@Suite struct RequestHeadTests {
    /// One head that just passes for each rule.
    static let accepted: [(rule: String, text: String)] = [
        ("a plain request", get()),
        ("any upper-case method", get(method: "FOO")),
        ("a method with a dash", get(method: "M-SEARCH")),
        ("a method with an underscore", get(method: "A_B")),
        ("a minor version above 1", get(version: "HTTP/1.9")),
        ("HTTP/1.0 without Host", "GET /a HTTP/1.0\r\n\r\n"),
        ("four empty lines before the request", "\r\n\r\n\r\n\r\n" + get()),
        ("a target of non-ASCII bytes", get(target: "/\u{e9}")),
        ("a backslash in the target", get(target: "/a\\b")),
        ("dot segments that stay below the root", get(target: "/x/../a")),
        ("dot segments up to the root", get(target: "/x/..")),
        ("three dots, which are a name", get(target: "/.../..")),
        ("an escape", get(target: "/%61")),
        ("a malformed escape in the query", get(target: "/a?%zz")),
        ("dots in the query", get(target: "/a?/../..")),
        ("absolute form", get(target: "http://b/x?q")),
        ("absolute form with https", get(target: "HTTPS://b/x")),
        ("absolute form without a path", get(target: "http://b")),
        ("absolute form with only a query", get(target: "http://b?q")),
        ("no space after the colon", get("X:1")),
        ("tabs around a value", get("X:\t1\t")),
        ("an empty value", get("X:")),
        ("bytes above 0x7F in a value", get("X: \u{e9}")),
        ("a tab inside a value", get("X: a\tb")),
        ("a name of all token characters", get("!#$%&'*+-.^_`|~09azAZ: 1")),
        ("Host with a port of 65535", get(host: "a:65535")),
        ("Host with an empty port", get(host: "a:")),
        ("Host with one trailing dot", get(host: "EXAMPLE.com.:8080")),
        ("Host behind a tab", "GET / HTTP/1.1\r\nHost:\ta\r\n\r\n"),
        ("Host as an IPv6 literal", get(host: "[::1]:80")),
        ("Host with an underscore", get(host: "a_b")),
        ("a length of 63 bits", get("Content-Length: 9223372036854775807")),
        ("a length with leading zeros", get("Content-Length: 003")),
        ("chunked in any case", get("Transfer-Encoding: ChunKED")),
        ("a repeated field", get("X: 1", "X: 2")),
        ("an underscore alias of framing, which is dropped", get("Transfer_Encoding: chunked", "Content-Length: 3")),
        ("one Authorization", get("Authorization: b")),
    ]

    /// One head that just fails for each rule.
    static let refused: [(text: String, violation: HTTPViolation)] = [
        (get(method: "get"), .malformedMethod),
        (get(method: "F!O"), .malformedMethod),
        (get(method: "FO1"), .malformedMethod),
        (" " + get(), .malformedRequestLine),
        ("GET\r\nHost: a\r\n\r\n", .malformedRequestLine),
        ("GET /a\r\nHost: a\r\n\r\n", .malformedRequestLine),
        (get(target: "a:443", method: "CONNECT"), .unsupportedMethod),
        (get(method: "CONNECT"), .unsupportedMethod),
        (get(method: "TRACE"), .unsupportedMethod),
        (get(target: "*", method: "OPTIONS"), .malformedTarget),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .malformedTarget),
        (get(version: "HTTP/2.0"), .unsupportedVersion),
        (get(version: "HTTP/0.9"), .unsupportedVersion),
        (get(version: "HTTP/1.10"), .malformedVersion),
        (get(version: "HTTP/1"), .malformedVersion),
        (get(version: "http/1.1"), .malformedVersion),
        (get(version: "HTTP/1.1 "), .malformedVersion),
        (get(version: " HTTP/1.1"), .malformedVersion),
        (get(target: " /a"), .malformedTarget),
        (get(target: "/a b"), .malformedVersion),
        (get(target: "/a\u{1}"), .controlCharacter),
        (get(target: "/a\u{7f}"), .controlCharacter),
        (get(target: "/a\t"), .malformedTarget),
        (get(target: "a"), .malformedTarget),
        (get(target: "/a#b"), .fragmentInTarget),
        (get(target: "/a?b#c"), .fragmentInTarget),
        (get(target: "/../a"), .targetAboveRoot),
        (get(target: "/%2e%2E/a"), .targetAboveRoot),
        (get(target: "/x/../.."), .targetAboveRoot),
        (get(target: "/x%2f..%2f..%2fa"), .targetAboveRoot),
        (get(target: "/.//..//a"), .targetAboveRoot),
        (get(target: "/a%zz"), .malformedEscape),
        (get(target: "/a%"), .malformedEscape),
        (get(target: "/a%4"), .malformedEscape),
        (get(target: "/a%00"), .malformedEscape),
        (get(target: "http://u@b/x"), .malformedHost),
        (get(target: "http://a_b/x"), .malformedTarget),
        (get(target: "http:///x"), .malformedHost),
        (get(target: "http://:80/x"), .malformedHost),
        (get(target: "ftp://b/x"), .malformedTarget),
        (get(target: "http://b#f"), .fragmentInTarget),
        ("\r\n\r\n\r\n\r\n\r\n" + get(), .tooManyEmptyLines),
        ("GET /a HTTP/1.1\r\n\r\n", .missingHost),
        (get(host: ""), .malformedHost),
        (get(host: "."), .malformedHost),
        (get("Host: a"), .repeatedHost),
        (get(host: "a/b"), .malformedHost),
        (get(host: "a..b"), .malformedHost),
        (get(host: "a, b"), .malformedHost),
        (get(host: "a,b"), .malformedHost),
        (get(host: "u@a"), .malformedHost),
        (get(host: "a b"), .malformedHost),
        (get(host: "a\\b"), .malformedHost),
        (get(host: "\u{e9}"), .malformedHost),
        (get(host: "a:zz"), .malformedHost),
        (get(host: "a:65536"), .malformedHost),
        (get(host: "a:1:2"), .malformedHost),
        (get(host: "[::1"), .malformedHost),
        (get(host: "[1]"), .malformedHost),
        (get(host: "[::g]"), .malformedHost),
        (get("Foo"), .missingColon),
        (get(": v"), .malformedFieldName),
        (get("X : v"), .malformedFieldName),
        (get("X(: v"), .malformedFieldName),
        (get("X\u{e9}: v"), .malformedFieldName),
        ("GET /a HTTP/1.1\r\n Host: a\r\n\r\n", .foldedLine),
        (get("X: a", " b"), .foldedLine),
        (get("X: a", "\tb"), .foldedLine),
        (get("X: a\u{1}b"), .controlCharacter),
        (get("X: a\u{0}b"), .controlCharacter),
        (get("X: a\rb"), .controlCharacter),
        (get("X: a\r"), .controlCharacter),
        (get("X: a\u{7f}"), .controlCharacter),
        (get("X: a\nY: b"), .bareLineFeed),
        ("GET /a HTTP/1.1\nHost: a\n\n", .bareLineFeed),
        ("\n" + get(), .bareLineFeed),
        ("GET /a HTTP/1.1\rHost: a\r\r", .controlCharacter),
        ("\u{16}\u{3}\u{1}\u{2}", .controlCharacter),
        (get("Authorization: a", "Authorization: b"), .repeatedAuthorization),
        (get("Content-Length: +3"), .malformedContentLength),
        (get("Content-Length: -3"), .malformedContentLength),
        (get("Content-Length: 0x3"), .malformedContentLength),
        (get("Content-Length: 1_0"), .malformedContentLength),
        (get("Content-Length: "), .malformedContentLength),
        (get("Content-Length: 3, 3"), .malformedContentLength),
        (get("Content-Length: 3 3"), .malformedContentLength),
        (get("Content-Length: 9223372036854775808"), .malformedContentLength),
        (get("Content-Length: 99999999999999999999"), .malformedContentLength),
        (get("Content-Length: 3", "Content-Length: 3"), .repeatedContentLength),
        (get("Content-Length: 3", "Content-Length: 4"), .repeatedContentLength),
        (get("Content-Length: 5", "Transfer-Encoding: chunked"), .conflictingFraming),
        (get("Transfer-Encoding: chunked", "Content-Length: 5"), .conflictingFraming),
        (get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), .repeatedTransferEncoding),
        (get("Transfer-Encoding: identity", "Transfer-Encoding: chunked"), .repeatedTransferEncoding),
        (get("Transfer-Encoding: gzip, chunked"), .unsupportedTransferEncoding),
        (get("Transfer-Encoding: ,chunked"), .unsupportedTransferEncoding),
        (get("Transfer-Encoding: chunked, chunked"), .unsupportedTransferEncoding),
        (get("Transfer-Encoding: xchunked"), .unsupportedTransferEncoding),
        (get("Transfer-Encoding: identity"), .unsupportedTransferEncoding),
        (get("Transfer-Encoding: "), .unsupportedTransferEncoding),
        (get("Transfer-Encoding:\tchunked"), .unsupportedTransferEncoding),
        (get("Transfer-Encoding: \u{a0}chunked"), .unsupportedTransferEncoding),
        (get("Transfer-Encoding: chunked\u{85}"), .unsupportedTransferEncoding),
        (get("Transfer-Encoding: chunked", version: "HTTP/1.0"), .transferEncodingInHTTP10),
        (get("Transfer-Encoding : chunked"), .malformedFieldName),
    ]

    @Test(arguments: Self.accepted.indices) func `a head that just keeps a rule is read to its end`(index: Int) {
        let (rule, text) = Self.accepted[index]
        #expect(outcome(text) == .complete(text.utf8.count), "\(rule)")
    }

    @Test(arguments: Self.refused.indices) func `a head that just breaks a rule is refused for it`(index: Int) {
        let (text, violation) = Self.refused[index]
        #expect(outcome(text) == .violation(violation), "\(text.debugDescription)")
    }

    @Test(arguments: Self.accepted.indices) func `a good head is read alike however it is cut`(index: Int) {
        let text = Array(Self.accepted[index].text.utf8)
        for cut in 0..<text.count {
            #expect(read(text, pieces: [cut]).0 == .complete(text.count), "cut at \(cut)")
        }
        #expect(read(text, pieces: Array(0..<text.count)).0 == .complete(text.count), "byte by byte")
    }

    @Test(arguments: Self.refused.indices) func `a bad head gets the same status however it is cut`(index: Int) {
        let (text, violation) = Self.refused[index]
        let bytes = Array(text.utf8)
        for pieces in (0..<bytes.count).map({ [$0] }) + [Array(0..<bytes.count)] {
            guard case .violation(let found) = read(bytes, pieces: pieces).0 else {
                Issue.record("\(text.debugDescription) passes cut at \(pieces)")
                continue
            }
            #expect(found.requestStatus == violation.requestStatus, "\(text.debugDescription) cut at \(pieces)")
        }
    }

    @Test func `what follows a head is left`() {
        let text = get() + "abc"
        #expect(outcome(text) == .complete(text.utf8.count - 3))
    }

    @Test func `junk without a line end is refused while it arrives`() {
        #expect(outcome("GET /a HTTP/1.1\rHost") == .violation(.controlCharacter))
        #expect(outcome("\u{16}\u{3}") == .violation(.controlCharacter))
        #expect(outcome("GET /a HTTP/1.1\r") == .incomplete)
    }

    @Test func `every status that a refusal can have is an error`() {
        for violation in HTTPViolation.allCases { #expect((400...599).contains(violation.requestStatus)) }
    }

    @Test func `framing, persistence and expectation are read off the head`() {
        func head(_ text: String) -> RequestHead { read(Array(text.utf8)).1.head }
        #expect(head(get()).framing == .none)
        #expect(head(get("Content-Length: 003")).framing == .length(3))
        #expect(head(get("Content-Length: 0")).framing == .none)
        #expect(head(get("Transfer-Encoding: chunked")).framing == .chunked)
        #expect(head(get("Transfer_Encoding: chunked", "Content-Length: 3")).framing == .length(3))
        #expect(head(get()).persists)
        #expect(!head(get("Connection: close")).persists)
        #expect(!head(get("Connection: x, ClosE")).persists)
        #expect(!head(get(version: "HTTP/1.0")).persists)
        #expect(head(get("Connection: keep-alive", version: "HTTP/1.0")).persists)
        #expect(head(get("Expect: 100-Continue")).expectsContinue)
        #expect(!head(get("Expect: foo")).expectsContinue)
        #expect(!head(get("Expect: 100-continue", version: "HTTP/1.0")).expectsContinue)
        #expect(head(get(method: "POST")).method.isNonIdempotent)
        #expect(head(get(method: "PATCH")).method.isNonIdempotent)
        #expect(head(get(method: "LOCK")).method.isNonIdempotent)
        #expect(!head(get(method: "PUT")).method.isNonIdempotent)
    }

    @Test func `the storage of one head serves the next`() {
        var parser = RequestHeadParser(limits: HeadLimits())
        for text in [get("X: 1", "Connection: close"), get("Y: 2")] {
            let bytes = Array(text.utf8)
            _ = try? bytes[...].withUnsafeBytes { bytes throws(HTTPViolation) in try parser.parse(bytes) }
            #expect(parser.head.fields.fields.count == (text.contains("X: 1") ? 3 : 2))
            #expect(parser.head.persists == text.contains("Y: 2"))
            parser.reset()
        }
    }
}

@Suite struct RequestLimitTests {
    let limits = HeadLimits(targetLength: 20, headerLength: 40, fieldCount: 3)

    @Test func `a target of just the limit passes, one byte more is 414`() {
        let longest = "/" + String(repeating: "a", count: 19)
        #expect(outcome(get(target: longest), limits: self.limits) == .complete(get(target: longest).utf8.count))
        #expect(outcome(get(target: longest + "a"), limits: self.limits) == .violation(.targetTooLong))
        #expect(HTTPViolation.targetTooLong.requestStatus == 414)
    }

    @Test func `an endless request line is 414 before it ends`() {
        let text = "GET /" + String(repeating: "a", count: 200)
        #expect(outcome(text, limits: self.limits) == .violation(.targetTooLong))
    }

    @Test func `field lines of just the limit pass, one byte more is 431`() {
        // "Host: a\r\n" has 9 bytes.
        let longest = "X: " + String(repeating: "a", count: 40 - 9 - 5)
        #expect(outcome(get(longest), limits: self.limits) == .complete(get(longest).utf8.count))
        #expect(outcome(get(longest + "a"), limits: self.limits) == .violation(.headerTooLarge))
        #expect(HTTPViolation.headerTooLarge.requestStatus == 431)
    }

    @Test func `an endless field line is 431 before it ends`() {
        let text = "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 60)
        #expect(outcome(text, limits: self.limits) == .violation(.headerTooLarge))
    }

    @Test func `as many fields as the limit pass, one more is 431`() {
        #expect(outcome(get("A: 1", "B: 2"), limits: self.limits) == .complete(get("A: 1", "B: 2").utf8.count))
        #expect(outcome(get("A: 1", "B: 2", "C: 3"), limits: self.limits) == .violation(.tooManyFields))
        #expect(HTTPViolation.tooManyFields.requestStatus == 431)
    }

    @Test func `a dropped field counts too`() {
        #expect(outcome(get("A_: 1", "B_: 2", "C_: 3"), limits: self.limits) == .violation(.tooManyFields))
    }

    @Test func `limits strike alike however a head is cut`() {
        let texts = [
            get(target: "/" + String(repeating: "a", count: 20)), get("X: " + String(repeating: "a", count: 60)),
            "GET /" + String(repeating: "a", count: 200) + "\u{1} HTTP/1.1\r\n\r\n", get("A: 1", "B: 2", "C: 3"),
        ]
        for text in texts {
            let bytes = Array(text.utf8)
            guard case .violation(let expected) = read(bytes, limits: self.limits).0 else {
                Issue.record("passes: \(text)")
                continue
            }
            for cut in 0..<bytes.count {
                #expect(read(bytes, limits: self.limits, pieces: [cut]).0 == .violation(expected), "cut at \(cut)")
            }
        }
    }
}
