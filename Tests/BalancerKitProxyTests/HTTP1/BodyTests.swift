import Testing

@testable import BalancerKitProxy

/// What following a body came to.
enum BodyOutcome: Equatable {
    case unfinished
    /// The data, and how many bytes of the input belong to the body.
    case finished(String, length: Int)
    case violation(HTTPViolation)
}

func follow(_ text: [UInt8], _ framing: BodyFraming = .chunked, limits: HeadLimits = HeadLimits(), cuts: [Int] = []) -> BodyOutcome {
    var reader = BodyReader(framing, limits: limits)
    var data: [UInt8] = []
    var length = 0
    var start = 0
    for end in cuts + [text.count] {
        let piece = text[start..<end]
        start = end
        var ranges: [Range<Int>] = []
        do {
            length += try piece.withUnsafeBytes { bytes throws(HTTPViolation) in try reader.read(bytes, from: 0, into: &ranges) }
        } catch {
            return .violation(error)
        }
        for range in ranges { data += piece[(piece.startIndex + range.lowerBound)..<(piece.startIndex + range.upperBound)] }
        if reader.isFinished { return .finished(String(decoding: data, as: UTF8.self), length: length) }
    }
    return .unfinished
}

@Suite struct ChunkedBodyTests {
    static let accepted: [(text: String, data: String)] = [
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
        ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("0000000003\r\nabc\r\n0\r\n\r\n", "abc"),
        ("0000000000000003\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3 \r\nabc\r\n0\r\n\r\n", "abc"),
        ("3;a=b\r\nabc\r\n0;x\r\n\r\n", "abc"),
        ("3 ; a=\"b\tc\"\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3\r\nabc\r\n0\r\nX-T: 1\r\nY: 2\r\n\r\n", "abc"),
        ("3\r\nabc\r\n0\r\nTransfer_Encoding: x\r\n\r\n", "abc"),
        ("3\r\n\r\n\r\r\n0\r\n\r\n", "\r\n\r"),
    ]

    static let refused: [(text: String, violation: HTTPViolation)] = [
        (" 3\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("+3\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("-3\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("0x3\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("1_0\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        (";a\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("g\r\n", .malformedChunkSize),
        ("3 x\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("fffffffffffffffff\r\n", .malformedChunkSize),
        ("00000000000000003\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("8000000000000000\r\n", .malformedChunkSize),
        ("3\rabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("3\nabc\n0\n\n", .malformedChunkSize),
        ("3;a\rb\r\nabc\r\n0\r\n\r\n", .malformedChunkSize),
        ("3;a\nabc\r\n0\r\n\r\n", .malformedChunkExtension),
        ("3;a\u{0}\r\nabc\r\n0\r\n\r\n", .malformedChunkExtension),
        ("3\r\nabcd\r\n0\r\n\r\n", .malformedChunkEnd),
        ("3\r\nabc\n0\r\n\r\n", .malformedChunkEnd),
        ("3\r\nabc\r0\r\n\r\n", .malformedChunkEnd),
        ("0\r\nX\r\n\r\n", .missingColon),
        ("0\r\nX : 1\r\n\r\n", .malformedFieldName),
        ("0\r\nX(: 1\r\n\r\n", .malformedFieldName),
        ("0\r\n: 1\r\n\r\n", .malformedFieldName),
        ("0\r\nX: 1\r\n Y\r\n\r\n", .foldedLine),
        ("0\r\nX: \u{1}\r\n\r\n", .controlCharacter),
        ("0\r\nX: a\rb\r\n\r\n", .controlCharacter),
        ("0\r\nX: 1\n\r\n", .bareLineFeed),
        ("0\r\n\n", .bareLineFeed),
        ("0\r\nContent-Length: 1\r\n\r\n", .forbiddenTrailer),
        ("0\r\ntransfer-encoding: chunked\r\n\r\n", .forbiddenTrailer),
        ("0\r\nHost: a\r\n\r\n", .forbiddenTrailer),
        ("0\r\nAuthorization: a\r\n\r\n", .forbiddenTrailer),
        ("0\r\nCookie: a\r\n\r\n", .forbiddenTrailer),
        ("0\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n", .forbiddenTrailer),
    ]

    @Test(arguments: Self.accepted.indices) func `a chunked body is read alike however it is cut`(index: Int) {
        let (text, data) = Self.accepted[index]
        let bytes = Array(text.utf8)
        let expected = BodyOutcome.finished(data, length: bytes.count)
        #expect(follow(bytes) == expected)
        for cut in 0...bytes.count { #expect(follow(bytes, cuts: [cut]) == expected, "cut at \(cut)") }
        #expect(follow(bytes, cuts: Array(0..<bytes.count)) == expected, "byte by byte")
    }

    @Test(arguments: Self.refused.indices) func `a bad chunked body is refused for its rule however it is cut`(index: Int) {
        let (text, violation) = Self.refused[index]
        let bytes = Array(text.utf8)
        #expect(follow(bytes) == .violation(violation), "\(text.debugDescription)")
        for cut in 0...bytes.count {
            #expect(follow(bytes, cuts: [cut]) == .violation(violation), "\(text.debugDescription) cut at \(cut)")
        }
    }

    @Test func `what follows the body is left`() {
        #expect(follow(Array("3\r\nabc\r\n0\r\n\r\nGET".utf8)) == .finished("abc", length: 13))
    }

    @Test func `the largest chunk size has 63 bits`() {
        #expect(follow(Array("7fffffffffffffff\r\nabc".utf8)) == .unfinished)
    }

    @Test func `chunk extensions are bounded over the whole body`() {
        let limits = HeadLimits(headerLength: 10)
        let passes = String(repeating: "1;abcd\r\nx\r\n", count: 2) + "0\r\n\r\n"
        let fails = String(repeating: "1;abcd\r\nx\r\n", count: 2) + "0;\r\n\r\n"
        #expect(follow(Array(passes.utf8), limits: limits) == .finished("xx", length: passes.utf8.count))
        #expect(follow(Array(fails.utf8), limits: limits) == .violation(.chunkExtensionsTooLarge))
    }

    @Test func `blanks behind a chunk size are bounded like extensions`() {
        let limits = HeadLimits(headerLength: 10)
        let blanks = { String(repeating: " ", count: $0) }
        #expect(follow(Array("0\(blanks(10))\r\n\r\n".utf8), limits: limits) == .finished("", length: 15))
        #expect(follow(Array("0\(blanks(11))\r\n\r\n".utf8), limits: limits) == .violation(.chunkExtensionsTooLarge))
    }

    @Test func `trailers are bounded like header lines`() {
        let limits = HeadLimits(headerLength: 10, fieldCount: 2)
        #expect(follow(Array("0\r\nX: 12345\r\n\r\n".utf8), limits: limits) == .finished("", length: 15))
        #expect(follow(Array("0\r\nX: 123456\r\n\r\n".utf8), limits: limits) == .violation(.trailersTooLarge))
        #expect(follow(Array("0\r\nA:\r\nB:\r\n\r\n".utf8), limits: limits) == .finished("", length: 13))
        #expect(follow(Array("0\r\nA:\r\nB:\r\nC:\r\n\r\n".utf8), limits: HeadLimits(fieldCount: 2)) == .violation(.tooManyFields))
    }
}

@Suite struct BodyReaderTests {
    @Test func `a body of known length ends after that many bytes`() {
        #expect(follow(Array("abcde".utf8), .length(3)) == .finished("abc", length: 3))
        #expect(follow(Array("ab".utf8), .length(3)) == .unfinished)
        for cut in 0...3 { #expect(follow(Array("abc".utf8), .length(3), cuts: [cut]) == .finished("abc", length: 3)) }
    }

    @Test func `no body takes no byte`() {
        #expect(follow(Array("abc".utf8), .none) == .finished("", length: 0))
    }

    @Test func `a body until the close ends with nothing else`() {
        #expect(follow(Array("abc".utf8), .untilClose) == .unfinished)
        #expect(BodyReader(.untilClose, limits: HeadLimits()).endsAtClose)
        #expect(!BodyReader(.length(1), limits: HeadLimits()).endsAtClose)
        #expect(!BodyReader(.chunked, limits: HeadLimits()).endsAtClose)
    }

    @Test func `a body of just the limit passes, one byte more does not`() {
        for (text, isTooLarge) in [("2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", false), ("2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n", true)] {
            var reader = BodyReader(.chunked, limits: HeadLimits(), maximumLength: 3)
            var ranges: [Range<Int>] = []
            var violation: HTTPViolation?
            do {
                _ = try Array(text.utf8)[...].withUnsafeBytes { bytes throws(HTTPViolation) in
                    try reader.read(bytes, from: 0, into: &ranges)
                }
            } catch {
                violation = error
            }
            #expect(violation == (isTooLarge ? .bodyTooLarge : nil))
        }
        #expect(HTTPViolation.bodyTooLarge.requestStatus == 413)
    }
}
