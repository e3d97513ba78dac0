import Testing

@testable import BalancerKitProxy

@Suite struct ByteRangesTests {
    static let cases: [(field: String, length: Int64, expected: ByteRanges)] = [
        ("bytes=0-4", 19, .parts([0..<5])), ("BYTES=0-4", 19, .parts([0..<5])), ("bytes=5-", 19, .parts([5..<19])),
        ("bytes=-3", 19, .parts([16..<19])), ("bytes=-99", 19, .parts([0..<19])), ("bytes=18-18", 19, .parts([18..<19])),
        ("bytes=0-99", 19, .parts([0..<19])), ("bytes=0-0,-1", 19, .parts([0..<1, 18..<19])),
        ("bytes= 0 - 1 , 3 - 4 ", 19, .parts([0..<2, 3..<5])), ("bytes=5-6,0-1", 19, .parts([5..<7, 0..<2])),
        // What is not there is left out beside what is.
        ("bytes=19-,0-1", 19, .parts([0..<2])), ("bytes=5-2,0-1", 19, .parts([0..<2])),
        ("bytes=19-", 19, .unsatisfiable), ("bytes=5-2", 19, .unsatisfiable), ("bytes=-0", 19, .unsatisfiable),
        ("bytes=abc", 19, .unsatisfiable), ("bytes=-", 19, .unsatisfiable), ("bytes=0-1,", 19, .unsatisfiable),
        ("bytes=0-1,x", 19, .unsatisfiable), ("bytes=1 2-3", 19, .unsatisfiable), ("bytes=+1-3", 19, .unsatisfiable),
        ("bytes=--1", 19, .unsatisfiable), ("bytes=0-99999999999999999999", 19, .unsatisfiable),
        ("bytes=9223372036854775807-", 19, .unsatisfiable), ("bytes=0-9223372036854775807", 19, .parts([0..<19])),
        ("bytes=-9223372036854775807", 19, .parts([0..<19])),
        // No range in bytes at all: the field is ignored.
        ("items=0-1", 19, .whole), ("bytes", 19, .whole), ("bytes=", 19, .whole), ("", 19, .whole),
        // More than the file in all, or more parts than are allowed.
        ("bytes=0-,0-", 19, .whole), ("bytes=0-0,2-2,4-4,6-6,8-8", 19, .whole),
        ("bytes=0-0,2-2,4-4,6-6", 19, .parts([0..<1, 2..<3, 4..<5, 6..<7])),
        // A length that twice is no number.
        ("bytes=0-,0-", .max, .whole), ("bytes=-9223372036854775807", .max, .parts([0..<Int64.max])),
        ("bytes=0-", 0, .whole), ("bytes=0-5", 0, .whole), ("bytes=-5", 0, .whole), ("bytes=1-", 0, .unsatisfiable),
    ]

    @Test(arguments: Self.cases.indices) func `a field names the parts that nginx would send`(index: Int) {
        let (field, length, expected) = Self.cases[index]
        #expect(ByteRanges(Array(field.utf8), length: length, maximumCount: 4) == expected, "\(field) of \(length)")
    }
}

@Suite struct FileConditionsTests {
    static let tag = Array("\"a-1\"".utf8)
    static let second: Int64 = 784_111_777
    static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
    static let later = "Sun, 06 Nov 1994 08:49:38 GMT"
    static let earlier = "Sun, 06 Nov 1994 08:49:36 GMT"

    static func conditions(_ fields: [(String, String)]) -> FileConditions {
        var conditions = FileConditions()
        for (name, value) in fields {
            switch name {
            case "IM": conditions.ifMatch = Array(value.utf8)
            case "INM": conditions.ifNoneMatch = Array(value.utf8)
            case "IMS": conditions.ifModifiedSince = Array(value.utf8)
            case "IUS": conditions.ifUnmodifiedSince = Array(value.utf8)
            default: conditions.ifRange = Array(value.utf8)
            }
        }
        return conditions
    }

    static let cases: [(fields: [(String, String)], expected: FileConditions.Verdict)] = [
        ([], .send),
        ([("INM", "\"a-1\"")], .notModified), ([("INM", "W/\"a-1\"")], .notModified), ([("INM", "*")], .notModified),
        ([("INM", "\"b\", \"a-1\"")], .notModified), ([("INM", "\"a,b\",W/\"a-1\"")], .notModified), ([("INM", "\"b\"")], .send),
        ([("INM", "a-1")], .send), ([("INM", "\"a-1")], .send), ([("INM", "")], .send), ([("INM", "W/")], .send), ([("INM", "\"")], .send),
        ([("IM", "\"a-1\"")], .send), ([("IM", "*")], .send), ([("IM", "W/\"a-1\"")], .failed), ([("IM", "\"b\"")], .failed),
        ([("IM", "\"b\", \"a-1\"")], .send),
        ([("IMS", date)], .notModified), ([("IMS", later)], .send), ([("IMS", earlier)], .send), ([("IMS", "yesterday")], .send),
        ([("IUS", date)], .send), ([("IUS", later)], .send), ([("IUS", earlier)], .failed), ([("IUS", "yesterday")], .send),
        // RFC 9110 §13.2.2: a tag comes before a date.
        ([("INM", "\"b\""), ("IMS", date)], .send), ([("INM", "\"a-1\""), ("IMS", earlier)], .notModified),
        ([("IM", "\"a-1\""), ("IUS", earlier)], .send), ([("IM", "\"b\""), ("INM", "\"a-1\"")], .failed),
    ]

    @Test(arguments: Self.cases.indices) func `conditions are judged in the order of RFC 9110`(index: Int) {
        let (fields, expected) = Self.cases[index]
        #expect(Self.conditions(fields).verdict(tag: Self.tag, modified: Self.second, check: .exact) == expected, "\(fields)")
    }

    @Test func `dates can be compared otherwise, and tags be missing`() {
        func verdict(_ fields: [(String, String)], _ check: StaticFiles.ModificationCheck, tag: [UInt8]? = Self.tag)
            -> FileConditions.Verdict
        {
            Self.conditions(fields).verdict(tag: tag, modified: Self.second, check: check)
        }
        #expect(verdict([("IMS", Self.later)], .before) == .notModified)
        #expect(verdict([("IMS", Self.earlier)], .before) == .send)
        #expect(verdict([("IMS", Self.date)], .off) == .send)
        #expect(verdict([("IM", "\"a-1\"")], .exact, tag: nil) == .failed)
        #expect(verdict([("INM", "*")], .exact, tag: nil) == .notModified)
    }

    @Test func `a range is sent only of the very same file`() {
        for (value, isAllowed) in [
            ("\"a-1\"", true), ("W/\"a-1\"", false), ("\"b\"", false), (Self.date, true), (Self.later, false), ("x", false), ("", false),
        ] {
            #expect(Self.conditions([("IR", value)]).allowsRange(tag: Self.tag, modified: Self.second) == isAllowed, "\(value)")
        }
        #expect(FileConditions().allowsRange(tag: nil, modified: 0))
    }

    @Test func `dates are read in all three forms, and nothing else is`() {
        for text in [Self.date, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            #expect(HTTPDate.seconds(Array(text.utf8)) == Self.second, "\(text)")
        }
        #expect(HTTPDate.seconds(Array("Thu, 01 Jan 1970 00:00:00 GMT".utf8)) == 0)
        #expect(HTTPDate.seconds(Array("Thu, 29 Feb 2024 12:00:00 GMT".utf8)) == 1_709_208_000)
        for text in [
            "", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Non 1994 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, -6 Nov 1994 08:49:37 GMT",
        ] {
            #expect(HTTPDate.seconds(Array(text.utf8)) == nil, "\(text)")
        }
    }
}

@Suite struct FileAnswerTests {
    @Test func `ranges that with what stands between them have no length as a number are answered with the whole file`() throws {
        var head = "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-4611686018427387903,4611686018427387904-\r\n\r\n"
        let answer = try head.withUTF8 { text in
            let bytes = UnsafeRawBufferPointer(text)
            var parser = RequestHeadParser(limits: HeadLimits())
            _ = try parser.parse(bytes)
            let status = Descriptor.Status(kind: .file, size: .max, modified: 1, modifiedNanosecond: 0, identity: 1)
            return FileAnswer(
                FileRequest(parser.head, bytes), StaticFiles(directory: "/"), name: Array("a.txt".utf8), status, boundary: { "b" })
        }
        #expect(answer.status == 200)
        #expect(answer.body == [.file(0..<Int64.max)])
        #expect(answer.length == .max)
    }
}
