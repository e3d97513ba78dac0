import Foundation
import QueueKit
import Testing

private struct Payload: Codable, Equatable {
    var first: Int
    var second: String
    var third: Double?
}

private struct Renamed: Codable, Equatable {
    var userID: Int
    enum CodingKeys: String, CodingKey { case userID = "user_id" }
}

private struct WithDefault: Codable, Equatable {
    var name: String
    var greeting = "hello"

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.name = try container.decode(String.self, forKey: .name)
        self.greeting = try container.decodeIfPresent(String.self, forKey: .greeting) ?? "hello"
    }
}

private struct Empty: Codable, Equatable {}

private struct Typed: Codable, Equatable {
    var date: Date
    var uuid: UUID
    var text: Data
    var bytes: Data
    var amount: Decimal
    var big: UInt64
}

private func decode<T: Decodable>(_ type: T.Type, _ arguments: [JSONValue], _ keywords: JSONObject = [:]) throws -> T {
    var message = TaskMessage(task: "t", id: JobID())
    message.arguments = arguments
    message.keywordArguments = keywords
    return try message.payload(as: type)
}

@Suite struct ArgumentTests {
    @Test(
        arguments: [
            ([1, "two", 3.5], [:]), ([1, "two"], ["third": 3.5]), ([1], ["third": 3.5, "second": "two"]),
            ([], ["third": 3.5, "first": 1, "second": "two"]),
            ([1.0, "two", 3.5], [:]),
        ] as [([JSONValue], JSONObject)])
    func `positional, keyword and mixed arguments make the same payload`(_ arguments: [JSONValue], _ keywords: JSONObject) throws {
        #expect(try decode(Payload.self, arguments, keywords) == Payload(first: 1, second: "two", third: 3.5))
    }

    @Test func `an optional argument may be missing or null`() throws {
        #expect(try decode(Payload.self, [1, "two"]) == Payload(first: 1, second: "two", third: nil))
        #expect(try decode(Payload.self, [1, "two", nil]) == Payload(first: 1, second: "two", third: nil))
    }

    @Test(
        arguments: [
            ([1], [:], "missing argument second"), ([], [:], "missing argument first"),
            ([1, "two", 3.5, 4], [:], "takes 3 arguments but 4 were given"),
            ([1, "two"], ["second": "x"], "got multiple values for argument second"),
            ([1, "two"], ["fourth": 4], "got an unexpected keyword argument fourth"),
            (["one", "two"], [:], "argument first: a string instead of Int"),
            ([1.5, "two"], [:], "argument first: a number instead of Int"), ([1, 2], [:], "argument second: an integer instead of String"),
            ([.bigInteger("9223372036854775808"), "two"], [:], "argument first: an integer instead of Int"),
            ([nil, "two"], [:], "argument first: null instead of Int"),
        ] as [([JSONValue], JSONObject, String)])
    func `wrong arguments are a TypeError that names the parameter and shows no value`(
        _ arguments: [JSONValue], _ keywords: JSONObject, _ message: String
    ) {
        let failure = #expect(throws: JobFailure.self) { try decode(Payload.self, arguments, keywords) }
        #expect(failure?.type == "TypeError")
        #expect(failure?.message == message)
        #expect(failure?.isPermanent == true)
    }

    @Test func `a payload's coding keys are Python's keywords`() throws {
        #expect(try decode(Renamed.self, [], ["user_id": 7]) == Renamed(userID: 7))
        #expect(try decode(Renamed.self, [7]) == Renamed(userID: 7))
    }

    @Test func `defaults hold where the payload says so`() throws {
        #expect(try decode(WithDefault.self, ["ada"]).greeting == "hello")
        #expect(try decode(WithDefault.self, ["ada", "hi"]).greeting == "hi")
        #expect(try decode(WithDefault.self, [], ["greeting": "hi", "name": "ada"]).greeting == "hi")
    }

    @Test func `a payload without arguments takes none`() throws {
        #expect(try decode(Empty.self, []) == Empty())
        #expect(throws: JobFailure.self) { try decode(Empty.self, [1]) }
        #expect(throws: JobFailure.self) { try decode(Empty.self, [], ["a": 1]) }
    }

    @Test func `lists, single values and dictionaries can be payloads`() throws {
        #expect(try decode([Int].self, [1, 2, 3]) == [1, 2, 3])
        #expect(try decode(String.self, ["one"]) == "one")
        #expect(throws: JobFailure.self) { try decode(String.self, ["one", "two"]) }
        #expect(try decode([String: Int].self, [], ["a": 1, "b": 2]) == ["a": 1, "b": 2])
    }

    @Test func `typed values of kombu's are read, and so are plain ones`() throws {
        let id = try #require(UUID(uuidString: "12345678-1234-4234-8234-123456789abc"))
        let expected = Typed(
            date: Date(timeIntervalSince1970: 1_704_164_645), uuid: id, text: Data("text".utf8), bytes: Data([0xFF, 0]),
            amount: Decimal(string: "12.50") ?? 0, big: .max)
        let wrapped: [JSONValue] = [
            ["__type__": "datetime", "__value__": "2024-01-02T03:04:05+00:00"],
            ["__type__": "uuid", "__value__": ["hex": "12345678123442348234123456789abc"]],
            ["__type__": "bytes", "__value__": "text"], ["__type__": "base64", "__value__": "/wA="],
            ["__type__": "decimal", "__value__": "12.50"],
            .bigInteger("18446744073709551615"),
        ]
        #expect(try decode(Typed.self, wrapped) == expected)
        let plain: [JSONValue] = [
            1_704_164_645, "12345678-1234-4234-8234-123456789abc", "text", ["__type__": "base64", "__value__": "/wA="], 12.5,
            .bigInteger("18446744073709551615"),
        ]
        #expect(try decode(Typed.self, plain) == expected)
    }

    @Test func `a wrapper where plain text is asked for is unwrapped`() throws {
        #expect(try decode(String.self, [["__type__": "datetime", "__value__": "2024-01-02"]]) == "2024-01-02")
        #expect(try decode([String: String].self, [], ["a": ["__type__": "decimal", "__value__": "1"]]) == ["a": "1"])
    }

    @Test func `an argument of the wrong type within a typed value is a TypeError`() {
        let failure = #expect(throws: JobFailure.self) {
            try decode(Typed.self, [["__type__": "datetime", "__value__": "yesterday"]])
        }
        #expect(failure?.message.contains("yesterday") == false)
        #expect(failure?.message.hasPrefix("argument date") == true)
    }
}
