import Foundation
import QueueKit
import ScaleCore
import ScaleTesting
import TestServers
import Testing

/// What comes into a queue that is no call of a task, published by py-amqp byte by byte: each becomes a dead letter, once, and the worker
/// serves the next message.
@Suite(.serialized, .enabled(if: Python.isInstalled, "needs RabbitMQ, Redis and Scripts/python"))
struct HostileMessageTests {
    struct Hostile: Sendable, CustomTestStringConvertible {
        var name: String
        var body: [UInt8]?
        /// Of `x`, where there is no body.
        var size = 0
        /// Over the headers that are right; an absent key leaves one as it is, and `nil` takes all away.
        var headers: JSONObject? = [:]
        var properties: JSONObject = [:]
        /// Whether there is an id under which a FAILURE can be found.
        var isKnown = true

        init(
            _ name: String, body: String? = nil, bytes: [UInt8]? = nil, size: Int = 0, headers: JSONObject? = [:],
            properties: JSONObject = [:], isKnown: Bool = true
        ) {
            self.name = name
            self.body = bytes ?? body.map { Array($0.utf8) } ?? (size > 0 ? nil : Array("[[1], {}, null]".utf8))
            self.size = size
            self.headers = headers
            self.properties = properties
            self.isKnown = isKnown
        }

        var testDescription: String { self.name }
    }

    private static func nested(_ depth: Int, _ open: String, _ close: String) -> String {
        "[[" + String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth) + "], {}, null]"
    }

    static let cases: [Hostile] = [
        Hostile("too few arguments", body: "[[], {}, null]"),
        Hostile("too many arguments", body: "[[1, 2, 3], {}, null]"),
        Hostile("an argument twice", body: #"[[1], {"user_id": 1}, null]"#),
        Hostile("a task that nobody knows", headers: ["task": "no.such.task"]),
        Hostile("a name that is not text", headers: ["task": 7]),
        Hostile("a name that is empty", headers: ["task": ""]),
        Hostile("no task at all, as in protocol 1", body: #"{"task": "t", "id": "1"}"#, headers: nil, isKnown: false),
        Hostile("an id that is a number", headers: ["id": 7], isKnown: false),
        Hostile("an id of 256 bytes", headers: ["id": .string(String(repeating: "i", count: 256))], isKnown: false),
        Hostile("a body of two elements", body: "[[1], {}]"),
        Hostile("a body of four elements", body: "[[1], {}, {}, {}]"),
        Hostile("a body that is an object", body: #"{"args": [1]}"#),
        Hostile("a body that is a text", body: #""hello""#),
        Hostile("arguments that are an object", body: "[{}, {}, null]"),
        Hostile("keywords that are an array", body: "[[1], [], null]"),
        Hostile("a third element that is a text", body: #"[[1], {}, "x"]"#),
        Hostile("no content type", properties: ["content_type": nil]),
        Hostile("pickle", bytes: [0x80, 0x04, 0x95, 0x0B, 0x00], properties: ["content_type": "application/x-python-serialize"]),
        Hostile("a compressed body", bytes: [0x78, 0x9C, 0x8B, 0x8E, 0x05, 0x00], headers: ["compression": "application/x-gzip"]),
        Hostile("no body", bytes: []),
        Hostile("a body that is cut off", body: "[[1], {}, "),
        Hostile("a body that goes on", body: "[[1], {}, null] []"),
        Hostile("base64 junk", body: "W1sxXSwge30sIG51bGxd"),
        Hostile("bytes that are no text", bytes: [0x5B, 0x5B, 0x22, 0xFF, 0xFE, 0x22, 0x5D, 0x2C, 0x7B, 0x7D, 0x2C, 0x7B, 0x7D, 0x5D]),
        Hostile("arrays nested 1,000 deep", body: nested(1000, "[", "]")),
        Hostile("arrays nested 200,000 deep", body: nested(200_000, "[", "]")),
        Hostile("objects nested 100,000 deep", body: nested(100_000, #"{"a":"#, "}")),
        Hostile("200,000 brackets that never close", body: String(repeating: "[", count: 200_000)),
        Hostile("10 MB", size: 10 * 1024 * 1024),
        Hostile("an eta that is no time", headers: ["eta": "tomorrow"]),
        Hostile("an expiry that is a number", headers: ["expires": 5]),
        Hostile("a count of retries below zero", headers: ["retries": -1]),
        Hostile("a count of retries beyond reason", headers: ["retries": 9_000_000_000]),
        Hostile("time limits that are no pair", headers: ["timelimit": [1]]),
        Hostile("headers nested 50 deep in place of a name", headers: ["task": nestedHeader(50)]),
    ]

    private static func nestedHeader(_ depth: Int) -> JSONValue {
        (0..<depth).reduce(JSONValue.integer(1)) { value, _ in ["a": value] }
    }

    private static func command(_ hostile: Hostile, _ id: JobID) -> JSONObject {
        var command: JSONObject = ["do": "publish", "queue": "celery"]
        if let body = hostile.body {
            command["body"] = .string(Data(body).base64EncodedString())
        } else {
            command["size"] = .integer(Int64(hostile.size))
        }
        if let own = hostile.headers {
            var headers: JSONObject = ["task": .string(SendEmailNotification.name), "id": .string(id.rawValue)]
            for (name, value) in own { headers[name] = value }
            command["headers"] = .object(headers)
        }
        var properties: JSONObject = ["content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 2]
        for (name, value) in hostile.properties { properties[name] = value }
        command["properties"] = .object(properties)
        return command
    }

    @Test func `each hostile message is dead at once, told to who asks for its id, and the next message is served`() async throws {
        try await InteropGround.withWorker(SendEmailNotification.handler) { ground, client in
            for (index, hostile) in Self.cases.enumerated() {
                let id = JobID()
                _ = try await client.ask(Self.command(hostile, id))
                let next = try await client.send(SendEmailNotification.name, args: [1])
                #expect(try await client.get(next) == "welcome to 1", "\(hostile.name)")
                try await eventually("\(hostile.name) is a dead letter") {
                    try await ground.broker.counts(of: "celery") == QueueCounts(dead: index + 1)
                }
                guard hostile.isKnown else { continue }
                let state = try await client.state(id)
                #expect(state["state"] == "FAILURE", "\(hostile.name): \(state)")
                #expect(state["info"]?.objectValue?["type"]?.stringValue?.isEmpty == false, "\(hostile.name): \(state)")
            }
            // As they came, with the reason.
            let letters = try await ground.broker.deadLetters(of: "celery", limit: 100)
            #expect(letters.count == Self.cases.count)
            #expect(letters.allSatisfy { !$0.reason.isEmpty })
            #expect(letters.contains { $0.message.body.count == 10 * 1024 * 1024 })
        }
    }

    @Test func `a worker that begins on a queue full of hostile messages comes to the good one behind them`() async throws {
        try await InteropGround.with { ground in
            let client = try CeleryClient(ground.host)
            _ = try await client.ask(["do": "declare", "queue": "celery", "arguments": [:]])
            for hostile in Self.cases { _ = try await client.ask(Self.command(hostile, JobID())) }
            let good = try await client.send(SendEmailNotification.name, args: [1])
            let worker = Worker(ground.queue, concurrency: 2, SendEmailNotification.handler)
            let running = PendingCall("the worker's run") { try await worker.run() }
            #expect(try await client.get(good) == "welcome to 1")
            try await eventually("all are dead letters") {
                try await ground.broker.counts(of: "celery") == QueueCounts(dead: Self.cases.count)
            }
            running.cancel()
            try await running.value()
            try await client.end()
        }
    }
}
