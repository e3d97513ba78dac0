import Foundation
import QueueKit
import ScaleCore
import Testing

@Suite struct TaskMessageTests {
    private static func plain() throws -> Message { try CeleryVectors.message("plain") }

    @Test func `a message of Celery's is read`() throws {
        let task = try TaskMessage(Self.plain())
        #expect(task.task == "proj.add")
        #expect(task.id.rawValue == "11111111-1111-4111-8111-111111111111")
        #expect(task.arguments == [2, 3])
        #expect(task.keywordArguments == [:])
        #expect(task.eta == nil && task.expires == nil && task.retries == 0)
        #expect(task.hardTimeLimit == nil && task.softTimeLimit == nil)
        #expect(task.replyTo == "fa589104-a0ce-36e2-9efa-f2b95f569c18")
        #expect(task.userHeaders.isEmpty)
    }

    @Test func `a message of Celery's with all options is read`() throws {
        let task = try TaskMessage(CeleryVectors.message("options"))
        #expect(task.arguments == [2])
        #expect(task.keywordArguments == ["y": 3])
        #expect(task.eta == UTCTime(nanosecondsSinceEpoch: 1_795_486_353_750_195_000))
        #expect(task.expires == UTCTime(nanosecondsSinceEpoch: 1_795_486_403_750_195_000))
        #expect(task.retries == 2 && task.priority == 5 && task.ignoresResult == true)
        #expect(task.hardTimeLimit == .seconds(30), "the hard limit stands first")
        #expect(task.softTimeLimit == .seconds(20))
        #expect(task.rootID?.rawValue == "88888888-1111-4111-8111-111111111111")
        #expect(task.parentID?.rawValue == "99999999-1111-4111-8111-111111111111")
        #expect(task.group == "g" && task.groupIndex == 1)
        #expect(task.shadow == "shadow.add")
        #expect(
            task.userHeaders == ["traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tenant": "é😀"])
        #expect(task.embed["callbacks"]?.arrayValue?.count == 1 && task.embed["errbacks"]?.arrayValue?.count == 1)
    }

    @Test func `what rides with a call of Celery's is kept as it came`() throws {
        let task = try TaskMessage(CeleryVectors.message("chain"))
        let steps = try #require(task.embed["chain"]?.arrayValue)
        #expect(task.hasFollowers)
        #expect(try !TaskMessage(Self.plain()).hasFollowers)
        // In reverse: the next step is the last one.
        #expect(steps.compactMap { $0.objectValue?["task"]?.stringValue } == ["proj.tsum", "proj.add"])
    }

    /// What `vectors.py` passes, in its order.
    private struct Values: Decodable {
        let nothing: Int?
        let yes: Bool
        let minusOne: Int
        let beyondDouble: Int
        let numbers: [Double]
        let text: String
        let empty: ([Int], [String: Int])
        let nested: [String: [[[String: Int]]]]
        let datetime: Date
        let date: Date
        let time: String
        let uuid: UUID
        let decimal: Decimal
        let bytes: [Data]
        let now: Date

        init(from decoder: any Decoder) throws {
            // Asked for in the order of the positional arguments; the last two are keywords.
            enum Key: String, CodingKey {
                case nothing, yes, minusOne, beyondDouble, beyondInteger, tenth, large, notANumber, infinity, text, array, object, nested
                case datetime, date, time, uuid, decimal, bytes, base64, none, now
            }
            let values = try decoder.container(keyedBy: Key.self)
            self.nothing = try values.decodeIfPresent(Int.self, forKey: .nothing)
            self.yes = try values.decode(Bool.self, forKey: .yes)
            self.minusOne = try values.decode(Int.self, forKey: .minusOne)
            self.beyondDouble = try values.decode(Int.self, forKey: .beyondDouble)
            self.numbers = try [Key.beyondInteger, .tenth, .large, .notANumber, .infinity].map {
                try values.decode(Double.self, forKey: $0)
            }
            self.text = try values.decode(String.self, forKey: .text)
            self.empty = (try values.decode([Int].self, forKey: .array), try values.decode([String: Int].self, forKey: .object))
            self.nested = try values.decode([String: [[[String: Int]]]].self, forKey: .nested)
            self.datetime = try values.decode(Date.self, forKey: .datetime)
            self.date = try values.decode(Date.self, forKey: .date)
            self.time = try values.decode(String.self, forKey: .time)
            self.uuid = try values.decode(UUID.self, forKey: .uuid)
            self.decimal = try values.decode(Decimal.self, forKey: .decimal)
            self.bytes = [try values.decode(Data.self, forKey: .bytes), try values.decode(Data.self, forKey: .base64)]
            _ = try values.decodeIfPresent(Int.self, forKey: .none)
            self.now = try values.decode(Date.self, forKey: .now)
        }
    }

    @Test func `Python's values are read as Swift's`() throws {
        let values = try TaskMessage(CeleryVectors.message("values")).payload(as: Values.self)
        #expect(values.nothing == nil && values.yes && values.minusOne == -1)
        #expect(values.beyondDouble == 9_007_199_254_740_993)
        #expect(values.numbers.prefix(3) == [18_446_744_073_709_551_616, 0.1, 1e300])
        #expect(values.numbers[3].isNaN && values.numbers[4] == .infinity)
        #expect(values.text == "é😀\0\"\\\u{2028}")
        #expect(values.empty.0.isEmpty && values.empty.1.isEmpty && values.nested == ["a": [[[:]]]])
        let time = Date(timeIntervalSince1970: 1_795_486_343.750195)
        #expect(abs(values.datetime.timeIntervalSince(time)) < 1e-6 && values.now == values.datetime)
        #expect(values.date == Date(timeIntervalSince1970: 1_795_478_400) && values.time == "02:12:23.750195")
        #expect(values.uuid == UUID(uuidString: "11111111-1111-4111-8111-111111111111"))
        #expect(values.decimal == Decimal(string: "1.10"))
        #expect(values.bytes == [Data("bytes".utf8), Data([0xFF, 0xFE])])
    }

    @Test func `a call is written in the form that Celery's worker expects`() throws {
        var task = TaskMessage(task: "proj.add", id: try #require(JobID(rawValue: "11111111-1111-4111-8111-111111111111")))
        task.arguments = [2, 3]
        task.origin = "gen1@vm"
        task.replyTo = "fa589104-a0ce-36e2-9efa-f2b95f569c18"
        let message = task.message(at: UTCTime(millisecondsSinceEpoch: 0))
        let theirs = try Self.plain()
        #expect(message.properties == theirs.properties)
        #expect(try JSONParser.parse(message.body) == JSONParser.parse(theirs.body))
        var expected = theirs.headers
        // These say who wrote the message, and how the arguments would be shown; ours shows none.
        expected["lang"] = "swift"
        expected["argsrepr"] = "<2>"
        expected["kwargsrepr"] = ""
        #expect(message.headers == expected)
    }

    @Test func `options are written as Celery writes them`() throws {
        var task = TaskMessage(task: "proj.add", id: try #require(JobID(rawValue: "22222222-2222-4222-8222-222222222222")))
        task.eta = UTCTime(nanosecondsSinceEpoch: 1_795_486_353_750_195_000)
        task.expires = UTCTime(nanosecondsSinceEpoch: 1_795_486_403_750_195_000)
        task.hardTimeLimit = .seconds(30)
        task.softTimeLimit = .milliseconds(20_500)
        task.priority = 5
        task.userHeaders = ["traceparent": "00-x", "retries": 77]
        let message = task.message(at: UTCTime(nanosecondsSinceEpoch: 1_795_486_343_750_195_000))
        #expect(message.headers["eta"] == "2026-11-24T02:12:33.750195+00:00")
        #expect(message.headers["expires"] == "2026-11-24T02:13:23.750195+00:00")
        #expect(message.headers["timelimit"] == [30, 20.5])
        #expect(message.headers["retries"] == 0, "a header that Celery uses cannot be overridden")
        #expect(message.headers["traceparent"] == "00-x")
        #expect(message.properties.expiration == "60000")
        #expect(message.properties.priority == 5)
    }

    @Test func `what is written is read back`() throws {
        let read = try TaskMessage(CeleryVectors.message("options"))
        #expect(try TaskMessage(read.message(at: UTCTime(millisecondsSinceEpoch: 0))) == read)
    }

    @Test func `the least that Celery's worker accepts is accepted`() throws {
        var message = Message(headers: ["task": "t", "id": "1"], properties: .init(), body: Array("[[1],{},null]".utf8))
        message.properties.contentType = "application/json"
        #expect(try TaskMessage(message).arguments == [1])
        message.properties.contentType = "application/json; charset=utf-8"
        #expect(try TaskMessage(message).arguments == [1])
    }

    @Test(
        arguments: [
            ("task", nil, "no task header"), ("task", "", "no task header"), ("task", 7, "no task header"),
            ("id", nil, "no id header of 1 to 255 bytes"),
            ("id", "", "no id header of 1 to 255 bytes"), ("eta", "soon", "the eta header is not a date-time"),
            ("eta", 7, "the eta header is not a date-time"),
            ("expires", "2026-13-01", "the expires header is not a date-time"), ("retries", -1, "the retries header is not a count"),
            ("retries", "two", "the retries header is not a count"), ("retries", 1.5, "the retries header is not a count"),
            ("retries", .integer(.max), "the retries header is not a count"), ("timelimit", 30, "the timelimit header is not a pair"),
            ("timelimit", [30], "the timelimit header is not a pair"), ("timelimit", ["x", nil], "a time limit is not a positive number"),
            ("timelimit", [0, nil], "a time limit is not a positive number"),
            ("compression", "application/x-bz2", "a body compressed by other means than zlib"),
            ("compression", 7, "a body compressed by other means than zlib"),
            ("compression", "application/x-gzip", "the compressed body is broken"),
        ] as [(String, JSONValue?, String)])
    func `a header that would change what is run must be right`(_ name: String, _ value: JSONValue?, _ problem: String) throws {
        var message = try Self.plain()
        message.headers[name] = value
        let error = #expect(throws: MalformedMessage.self) { try TaskMessage(message) }
        #expect(error?.description == problem)
    }

    @Test func `a body that Celery has compressed by zlib is read, within the limits that hold for what is in it`() throws {
        var message = try Self.plain()
        message.headers["compression"] = "application/x-gzip"
        message.body = try InflateTests.bytes(InflateTests.vectors[1].stream)
        #expect(try TaskMessage(message).arguments == [2, 3])
        var limits = JSONLimits()
        limits.maximumBytes = InflateTests.call.count - 1
        let error = #expect(throws: MalformedMessage.self) { try TaskMessage(message, limits: limits) }
        #expect(error?.description == "the compressed body holds more than \(limits.maximumBytes) bytes")
    }

    @Test(
        arguments: [
            ("shadow", 7), ("group", 7), ("group_index", "x"), ("origin", []), ("ignore_result", nil), ("root_id", 7), ("parent_id", ""),
            ("retries", nil),
            ("timelimit", nil), ("stamps", "x"), ("timelimit", [.double(.infinity), nil]),
        ] as [(String, JSONValue)])
    func `a header that only informs may be anything`(_ name: String, _ value: JSONValue) throws {
        var message = try Self.plain()
        message.headers[name] = value
        #expect(try TaskMessage(message).arguments == [2, 3])
    }

    @Test(
        arguments: [
            ("", "the body is not JSON: the document ends too early, at byte 0"), ("[[1],{}]", "the body is not an array of three"),
            ("[[1],{},{},{}]", "the body is not an array of three"), (#"{"args":[]}"#, "the body is not an array of three"),
            ("[{},{},{}]", "the positional arguments are not an array"), ("[[],[],{}]", "the keyword arguments are not an object"),
            ("[[],{},[]]", "the third element of the body is not an object"),
            ("[[1,{},{}]", "the body is not JSON: a byte that cannot stand here, at byte 9"),
        ] as [(String, String)])
    func `a poisonous body is refused`(_ body: String, _ problem: String) throws {
        var message = try Self.plain()
        message.body = Array(body.utf8)
        let error = #expect(throws: MalformedMessage.self) { try TaskMessage(message) }
        if body != "[[1,{},{}]" { #expect(error?.description == problem) }
    }

    @Test func `a body without a content type, or of another one, is refused`() throws {
        var message = try Self.plain()
        message.properties.contentType = nil
        #expect(throws: MalformedMessage.self) { try TaskMessage(message) }
        message.properties.contentType = "application/x-python-serialize"
        #expect(throws: MalformedMessage.self) { try TaskMessage(message) }
    }

    @Test(arguments: [(1, true), (255, true), (256, false)])
    func `a job's id has 1 to 255 bytes`(_ length: Int, _ isValid: Bool) {
        #expect((JobID(rawValue: String(repeating: "i", count: length)) != nil) == isValid)
    }

    @Test(arguments: ["success", "failure", "retry", "revoked", "progress", "grouped"])
    func `a result of Celery's is read and written unchanged`(_ name: String) throws {
        let json = try CeleryVectors.result(name)
        let status = try #require(JobStatus(json: json))
        #expect(status.json() == json)
    }

    @Test func `what more there may be in a result of Celery's does no harm`() throws {
        let started = try #require(JobStatus(json: try CeleryVectors.result("started")))
        #expect(started.state == .started && started.result.objectValue?["pid"] == 1)
        let extended = try #require(JobStatus(json: try CeleryVectors.result("extended")))
        #expect(extended.state == .success && extended.result == 5 && extended.retries == 1)
        let failure = try #require(JobStatus(json: try CeleryVectors.result("failure of two words"))?.failure)
        #expect(failure.type == "ValueError" && failure.message == "boom, 2")
    }

    @Test func `results show group and parent when there are some, and retries when asked`() throws {
        var status = JobStatus(id: JobID(), state: .started)
        #expect(status.json().objectValue?.keys == ["status", "result", "traceback", "children", "date_done", "task_id"])
        status.groupID = "g"
        status.parentID = JobID()
        status.retries = 2
        let keys = status.json(extended: true).objectValue?.keys ?? []
        #expect(Set(keys).isSuperset(of: ["group_id", "parent_id", "retries"]))
        #expect(JobStatus(json: status.json(extended: true)) == status)
    }
}
