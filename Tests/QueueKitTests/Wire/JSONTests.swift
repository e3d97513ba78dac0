import QueueKit
import Testing

@Suite struct JSONTests {
    @Test(
        arguments: [
            ("null", .null), ("true", true), ("false", false), ("0", 0), ("-0", 0), ("-12", -12), ("9223372036854775807", .integer(.max)),
            ("9223372036854775808", .bigInteger("9223372036854775808")), ("1.5", 1.5), ("2.0", .double(2)), ("1e3", .double(1000)),
            ("-1.5E-2", -0.015), ("Infinity", .double(.infinity)), ("-Infinity", .double(-.infinity)), (#""""#, ""),
            (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u00e9""#, "é"), (#""\ud83d\ude00""#, "😀"), (#""😀""#, "😀"), (#""\ud83d""#, "\u{FFFD}"), (#""\ud83dx""#, "\u{FFFD}x"),
            (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\ude00""#, "\u{FFFD}"), ("[]", []), ("{}", [:]), (" [ 1 , [ ] , { } ] ", [1, [], [:]]),
            (#"{"a":1,"b":{"c":[null]}}"#, ["a": 1, "b": ["c": [nil]]]), (#"{"a":1,"a":2}"#, ["a": 2]),
        ] as [(String, JSONValue)])
    func `JSON as Python writes it is read`(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONParser.parse(text) == value)
    }

    @Test func `NaN is read and written`() throws {
        guard case .double(let value) = try JSONParser.parse("NaN") else { throw JSONError(problem: .invalidNumber, offset: 0) }
        #expect(value.isNaN)
        #expect(JSONValue.array([.double(.nan), .double(.infinity), .double(-.infinity)]).jsonText() == "[NaN,Infinity,-Infinity]")
    }

    @Test(
        arguments: [
            ("", .unexpectedEnd, 0), (" ", .unexpectedEnd, 1), ("tru", .unexpectedEnd, 3), ("trux", .unexpectedByte, 3),
            ("nul", .unexpectedEnd, 3),
            ("[", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3), ("[1,]", .unexpectedByte, 3),
            ("[1 2]", .unexpectedByte, 3),
            ("{", .unexpectedEnd, 1), ("{1:2}", .unexpectedByte, 1), (#"{"a""#, .unexpectedEnd, 4), (#"{"a" 1}"#, .unexpectedByte, 5),
            (#"{"a":1,}"#, .unexpectedByte, 7),
            ("01", .invalidNumber, 2), ("-", .invalidNumber, 1), ("1.", .invalidNumber, 2), ("1e", .invalidNumber, 2),
            (".5", .unexpectedByte, 0), ("+1", .unexpectedByte, 0),
            (#""a"#, .unexpectedEnd, 2), ("\"\n\"", .invalidString, 1), (#""\x""#, .invalidString, 3), (#""\u12"#, .unexpectedEnd, 5),
            (#""\u12g4""#, .invalidString, 5),
            ("1 2", .trailingBytes, 2), ("[]]", .trailingBytes, 2), ("-NaN", .invalidNumber, 1),
        ] as [(String, JSONError.Problem, Int)])
    func `what is not JSON is refused with the place`(_ text: String, _ problem: JSONError.Problem, _ offset: Int) {
        #expect(throws: JSONError(problem: problem, offset: offset)) { try JSONParser.parse(text) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: JSONError(problem: .invalidString, offset: 1)) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
    }

    @Test func `nesting up to the limit is read, one deeper is refused`() throws {
        var limits = JSONLimits()
        limits.maximumDepth = 3
        #expect(try JSONParser.parse("[[[]]]", limits: limits) == [[[]]])
        #expect(throws: JSONError(problem: .tooDeep(limit: 3), offset: 3)) { try JSONParser.parse("[[[[]]]]", limits: limits) }
        #expect(throws: JSONError(problem: .tooDeep(limit: 3), offset: 15)) {
            try JSONParser.parse(#"{"a":{"a":{"a":{}}}}"#, limits: limits)
        }
        // A hundred thousand brackets must not reach the end of the stack.
        #expect(throws: JSONError.self) { try JSONParser.parse([UInt8](repeating: UInt8(ascii: "["), count: 100_000)) }
    }

    @Test func `a document of the greatest size is read, one byte more is refused`() throws {
        var limits = JSONLimits()
        limits.maximumBytes = 4
        #expect(try JSONParser.parse("1234", limits: limits) == 1234)
        #expect(throws: JSONError(problem: .tooLarge(limit: 4), offset: 4)) { try JSONParser.parse("12345", limits: limits) }
    }

    @Test(
        arguments: [
            (["a": [1, -2, 1.5, true, false, nil], "b": "é😀"], #"{"a":[1,-2,1.5,true,false,null],"b":"é😀"}"#),
            (.bigInteger("123456789012345678901"), "123456789012345678901"), ("\"\\\u{8}\u{C}\n\r\t\u{1}", #""\"\\\b\f\n\r\t\u0001""#),
            ("ab\ncd\u{1F}é\"", #""ab\ncd\u001fé\"""#), ("", #""""#), (.double(2), "2.0"), (.double(1e21), "1e+21"),
        ] as [(JSONValue, String)])
    func `JSON is written compactly and read back`(_ value: JSONValue, _ text: String) throws {
        #expect(value.jsonText() == text)
        #expect(try JSONParser.parse(text) == value)
    }

    @Test(arguments: [1, 5, 24, 25, 26, 200]) func `an object of any size finds, replaces and removes by name`(count: Int) {
        let names = (0..<count).map { "key \($0)" }
        var object = JSONObject(names.map { ($0, .string($0)) })
        #expect(object.keys == names)
        #expect(names.allSatisfy { object[$0] == .string($0) })
        #expect(object["key"] == nil)
        object[names[count / 2]] = 1
        #expect(object.keys == names)
        #expect(object == JSONObject(object.map { ($0.key, $0.value) }.reversed()))
        #expect(object.hashValue == JSONObject(object.map { ($0.key, $0.value) }.reversed()).hashValue)
        object[names[count / 2]] = nil
        object["no such key"] = nil
        #expect(object.keys == names.filter { $0 != names[count / 2] })
        #expect(names.allSatisfy { $0 == names[count / 2] ? object[$0] == nil : object[$0] == .string($0) })
        object["new"] = 2
        #expect(object.keys.last == "new")
        #expect(object["new"] == 2)
        #expect(object.count == count)
    }

    @Test func `the keys of an object keep their order, and can be taken away`() {
        var object: JSONObject = ["z": 1, "a": 2, "m": 3]
        object["a"] = nil
        object["z"] = 9
        object["b"] = 4
        #expect(object.keys == ["z", "m", "b"])
        #expect(object.map(\.value) == [9, 3, 4])
        #expect(object == ["b": 4, "m": 3, "z": 9])
    }

    @Test func `escapes and runs between them are put together in order, and a mebibyte of escapes is read at once`() throws {
        #expect(try JSONParser.parse(#""a\n\u00e9b\\é""#) == .string("a\n\u{E9}b\\\u{E9}"))
        #expect(try JSONParser.parse(#""\ud83d\ude00x\ud83d""#) == .string("😀x\u{FFFD}"))
        #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0xC3, 0x5C, 0x6E, 0xA9, 0x22]) }
        let many = "\"" + String(repeating: "\\n", count: 500_000) + "\""
        #expect(try JSONParser.parse(many) == .string(String(repeating: "\n", count: 500_000)))
    }

    @Test func `keys that only look alike are two, in their order`() throws {
        let text = "{\"\u{E9}\":1,\"e\u{301}\":2}"
        var object = try #require(try JSONParser.parse(text).objectValue)
        #expect(object.count == 2)
        #expect(object["\u{E9}"] == 1)
        #expect(object["e\u{301}"] == 2)
        #expect(Array(JSONValue.object(object).jsonText().utf8) == Array(try JSONParser.parse(text).jsonText().utf8))
        object["e\u{301}"] = nil
        #expect(object.keys.map { Array($0.utf8) } == [[0xC3, 0xA9]])
    }
}
