import QueueKit
import ScaleCore
import Testing

@Suite struct TaskMessageTests {
    private static func object(_ text: String) throws -> JSONObject {
        try #require(try JSONParser.parse(text).objectValue)
    }

    private static func message(_ headers: String, _ properties: String, _ body: String) throws -> Message {
        Message(
            headers: try self.object(headers), properties: Message.Properties(json: try self.object(properties)), body: Array(body.utf8))
    }

    private static func plain() throws -> Message {
        try self.message(CeleryVectors.plainHeaders, CeleryVectors.plainProperties, CeleryVectors.plainBody)
    }

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
        let task = try TaskMessage(Self.message(CeleryVectors.optionHeaders, CeleryVectors.optionProperties, CeleryVectors.optionBody))
        #expect(task.arguments == [2])
        #expect(task.keywordArguments == ["y": 3])
        #expect(task.eta == UTCTime(nanosecondsSinceEpoch: 1_795_486_353_750_195_000))
        #expect(task.expires == UTCTime(nanosecondsSinceEpoch: 1_795_486_403_750_195_000))
        #expect(task.retries == 2 && task.priority == 5 && task.ignoresResult == true)
        #expect(task.hardTimeLimit == .seconds(30), "the hard limit stands first")
        #expect(task.softTimeLimit == .seconds(20))
        #expect(task.parentID?.rawValue == "p" && task.rootID?.rawValue == "r" && task.group == "g" && task.groupIndex == 1)
        #expect(task.shadow == "shadow.add")
        #expect(task.userHeaders == ["traceparent": "00-x"])
        #expect(task.embed["chain"]?.arrayValue?.count == 1)
    }

    @Test func `a call is written in the form that Celery's worker expects`() throws {
        var task = TaskMessage(task: "proj.add", id: try #require(JobID(rawValue: "11111111-1111-4111-8111-111111111111")))
        task.arguments = [2, 3]
        task.origin = "gen15750@vm"
        task.replyTo = "fa589104-a0ce-36e2-9efa-f2b95f569c18"
        let message = task.message(at: UTCTime(millisecondsSinceEpoch: 0))
        #expect(message.properties == Message.Properties(json: try Self.object(CeleryVectors.plainProperties)))
        #expect(try JSONParser.parse(message.body) == JSONParser.parse(CeleryVectors.plainBody))
        var expected = try Self.object(CeleryVectors.plainHeaders)
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
        let read = try TaskMessage(Self.message(CeleryVectors.optionHeaders, CeleryVectors.optionProperties, CeleryVectors.optionBody))
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
            ("timelimit", [0, nil], "a time limit is not a positive number"), ("compression", "application/x-gzip", "a compressed body"),
        ] as [(String, JSONValue?, String)])
    func `a header that would change what is run must be right`(_ name: String, _ value: JSONValue?, _ problem: String) throws {
        var message = try Self.plain()
        message.headers[name] = value
        let error = #expect(throws: MalformedMessage.self) { try TaskMessage(message) }
        #expect(error?.description == problem)
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

    @Test(arguments: [CeleryVectors.success, CeleryVectors.failure, CeleryVectors.retry, CeleryVectors.revoked])
    func `a result of Celery's is read and written unchanged`(_ text: String) throws {
        let json = try JSONParser.parse(text)
        let status = try #require(JobStatus(json: json))
        #expect(status.json() == json)
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
