import Foundation
import QueueKit
import ScaleCore
import ScaleTesting
import TestServers
import Testing

private struct Add: Job {
    static let name = "canvas.add"
    typealias Output = Int
    var x: Int
    var y: Int
}

private struct Sum: Job {
    static let name = "canvas.sum"
    typealias Output = Int
    var numbers: [Int]
}

private struct Fail: Job {
    static let name = "canvas.fail"
    var number: Int
}

private struct Failed: Job {
    static let name = "canvas.failed"
    var id: String
}

/// Celery's canvas over workers of both languages: Swift has the queue `celery`, Python the queue `python`.
@Suite(.serialized, .enabled(if: Python.isInstalled, "needs RabbitMQ, Redis and Scripts/python"))
struct CanvasTests {
    /// What the Swift worker saw.
    private struct Seen: Sendable {
        let sums = RecordedFacts<[Int]>()
        let failed = RecordedFacts<String>()
        /// What adds to 1000 or more waits for it.
        let gate = Gate("the large sums")
    }

    private static func handlers(_ seen: Seen) -> @Sendable (inout JobHandlers) -> Void {
        {
            $0.handle(Add.self) { job, _ in
                if job.x + job.y >= 1000 { try await seen.gate.pass(within: .seconds(120)) }
                return job.x + job.y
            }
            $0.handle(Sum.self) { job, _ in
                seen.sums.record(job.numbers)
                return job.numbers.reduce(0, +)
            }
            $0.handle(Fail.self) { job, _ in throw JobFailure("ValueError", "not \(job.number)", isPermanent: true) }
            $0.handle(Failed.self) { job, _ in seen.failed.record(job.id) }
        }
    }

    /// With a Swift worker and a client; with a Python worker from the moment at which `startsPython` is called.
    private static func with(
        _ body: (Seen, InteropGround, CeleryClient, _ startsPython: () throws -> Void) async throws -> Void
    ) async throws {
        let seen = Seen()
        try await InteropGround.withWorker(self.handlers(seen)) { ground, client in
            var worker: ChildProcess?
            do {
                try await body(seen, ground, client) { worker = try Python.start("worker", "python", host: ground.host) }
            } catch {
                let output = worker?.output.suffix(3000) ?? ""
                try? await worker?.end(SIGKILL)
                throw TestFailure("\(error)\nThe Python worker wrote:\n\(output)")
            }
            try await worker?.end(SIGKILL)
        }
    }

    private static func apply(_ canvas: JSONValue, _ client: CeleryClient) async throws -> JobID {
        let id = try await client.ask(["do": "canvas", "canvas": canvas])
        return try require(id.stringValue.flatMap(JobID.init(rawValue:)), "an id")
    }

    private static func call(_ task: String, _ args: [JSONValue] = [], id: JobID? = nil, _ more: JSONObject = [:]) -> JSONValue {
        var options: JSONObject = task.hasPrefix("python.") ? ["queue": "python"] : [:]
        if let id { options["task_id"] = .string(id.rawValue) }
        var call: JSONObject = ["task": .string(task), "args": .array(args), "options": .object(options)]
        for (key, value) in more { call[key] = value }
        return .object(call)
    }

    /// What Python raises for the id alone, without a look at what comes before it.
    private static func raised(_ id: JobID, _ client: CeleryClient) async throws -> CeleryClient.Raised {
        try await expectThrows(CeleryClient.Raised.self) {
            try await client.ask(["do": "get", "id": .string(id.rawValue), "alone": true])
        }
    }

    @Test func `the last part of a chord sends the body, whichever language it is written in`() async throws {
        try await Self.with { seen, ground, client, startsPython in
            // Swift is done before Python begins.
            var bodies: [JobID] = []
            for task in ["python.sum", "canvas.sum"] {
                let members = [JobID(), JobID()]
                bodies.append(
                    try await Self.apply(
                        [
                            "chord": [
                                Self.call("canvas.add", [1, 2], id: members[0]), Self.call("python.add", [10, 20]),
                                Self.call("canvas.add", [100, 200], id: members[1]),
                            ], "body": Self.call(task),
                        ], client))
                for member in members { _ = try await client.get(member) }
            }
            #expect(try await client.state(bodies[0])["state"] == "PENDING")
            try startsPython()
            for body in bodies { #expect(try await client.get(body) == 333) }
            // Python is done before Swift ends.
            for task in ["python.sum", "canvas.sum"] {
                let member = JobID()
                let body = try await Self.apply(
                    [
                        "chord": [Self.call("canvas.add", [1000, 2]), Self.call("python.add", [10, 20], id: member)],
                        "body": Self.call(task),
                    ], client)
                #expect(try await client.get(member) == 30)
                seen.gate.open()
                #expect(try await client.get(body) == 1032)
            }
            // In the order of the header, once each.
            #expect(seen.sums.all == [[3, 30, 300], [1002, 30]])
        }
    }

    @Test func `a part that fails is a ChordError for whoever waits for the body, and calls its errbacks`() async throws {
        try await Self.with { seen, ground, client, startsPython in
            try startsPython()
            for (bad, dependency) in [
                (Self.call("canvas.fail", [13]), "ValueError('not 13')"), (Self.call("python.fail", ["no luck"]), "ValueError('no luck')"),
                // Python has words of its own for it, if it comes to be the last.
                (Self.call("canvas.unknown"), "canvas.unknown"),
            ] {
                for body in ["python.sum", "canvas.sum"] {
                    let id = JobID()
                    let result = try await Self.apply(
                        [
                            "chord": [
                                Self.call("canvas.add", [1, 2]), bad, Self.call("python.add", [1, 2]), Self.call("canvas.add", [3, 4]),
                            ],
                            "body": Self.call(body, id: id, ["link_error": [Self.call("canvas.failed")]]),
                        ], client)
                    #expect(result == id)
                    let raised = try await Self.raised(id, client)
                    #expect(raised.type == "ChordError" && raised.module == "celery.exceptions")
                    let text = raised.arguments.first ?? ""
                    #expect(text.hasPrefix("Dependency ") && text.contains(dependency), "\(text)")
                    try await eventually("the errback got the id") { seen.failed.all.contains(id.rawValue) }
                }
            }
            #expect(seen.sums.all.isEmpty)
        }
    }

    @Test func `groups and chords go on from the Swift worker that ends the step before them`() async throws {
        try await Self.with { seen, ground, client, startsPython in
            try startsPython()
            func swift(_ number: Int64) -> JSONValue { Self.call("canvas.add", [.integer(number)]) }
            func python(_ number: Int64) -> JSONValue { Self.call("python.add", [.integer(number)]) }
            let (first, both) = (Self.call("canvas.add", [1, 2]), ["group": [swift(10), python(20)]] as JSONValue)
            let canvases: [(JSONValue, JSONValue)] = [
                (["chain": [first, both]], [13, 23]),
                (["chain": [first, both, Self.call("canvas.sum")]], 36),
                (["chain": [first, both, Self.call("python.sum"), swift(5), python(6)]], 47),
                (["chain": [first, both, Self.call("canvas.sum"), both, Self.call("canvas.sum")]], 102),
                // Two groups behind each other: the second gets the list.
                (["chain": [first, both, ["group": [Self.call("canvas.sum"), Self.call("python.sum")]], Self.call("canvas.sum")]], 72),
                (
                    [
                        "chain": [
                            first, ["chord": [swift(10), python(20)], "body": ["chain": [Self.call("canvas.sum"), swift(1)]]], swift(2),
                        ]
                    ], 39
                ),
                (["chain": [first, ["group": [swift(1), ["chain": [swift(1), python(1), swift(1)]]]], Self.call("canvas.sum")]], 10),
            ]
            for (canvas, expected) in canvases {
                let id = try await Self.apply(canvas, client)
                #expect(try await client.get(id) == expected, "\(canvas.jsonText())")
            }
        }
    }

    @Test func `chords stand in chords, and chains and groups in headers`() async throws {
        try await Self.with { seen, ground, client, startsPython in
            try startsPython()
            func swift(_ x: Int64, _ y: Int64? = nil) -> JSONValue {
                Self.call("canvas.add", [.integer(x)] + (y.map { [.integer($0)] } ?? []))
            }
            func python(_ x: Int64, _ y: Int64? = nil) -> JSONValue {
                Self.call("python.add", [.integer(x)] + (y.map { [.integer($0)] } ?? []))
            }
            let inner: JSONValue = ["chord": [swift(1, 1), python(2, 2)], "body": Self.call("canvas.sum")]
            for body in ["canvas.sum", "python.sum"] {
                let canvases: [(JSONValue, JSONValue)] = [
                    (["chord": [swift(100, 0), inner], "body": Self.call(body)], 106),
                    (["chord": [inner, inner], "body": Self.call(body)], 12),
                    (
                        [
                            "chord": [["chord": [inner, python(1, 0)], "body": Self.call("python.sum")], swift(1, 0)],
                            "body": Self.call(body),
                        ], 8
                    ),
                    (["chord": [swift(100, 0), ["chain": [swift(1, 2), python(3), swift(4)]]], "body": Self.call(body)], 110),
                    (
                        [
                            "chord": [
                                swift(100, 0), ["chain": [swift(1, 2), ["group": [swift(1), python(2)]], Self.call("canvas.sum")]],
                            ], "body": Self.call(body),
                        ], 109
                    ),
                    (
                        [
                            "chain": [
                                swift(1, 0),
                                [
                                    "chord": [swift(1), ["chord": [swift(10), python(20)], "body": Self.call("canvas.sum")]],
                                    "body": Self.call(body),
                                ], swift(5),
                            ]
                        ], 39
                    ),
                    (["chord": [swift(1, 0)], "body": ["chain": [Self.call(body), swift(5), python(6)]]], 12),
                    (["chord": [swift(1, 0), swift(2, 0)], "body": ["group": [Self.call(body), Self.call("canvas.sum")]]], [3, 3]),
                ]
                for (canvas, expected) in canvases {
                    let id = try await Self.apply(canvas, client)
                    #expect(try await client.get(id) == expected, "\(canvas.jsonText())")
                }
            }
            // A group at the end of a chain in a header is a list of its own among the results.
            let shaped = try await Self.apply(
                [
                    "chord": [swift(1, 0), ["chain": [swift(2, 0), ["group": [swift(10), python(20)]]]]], "body": Self.call("python.echo"),
                ], client)
            #expect(try await client.get(shaped).objectValue?["args"] == [[1, [12, 22]]])
        }
    }

    @Test func `a failure within a chain, a nested header or a member's chain reaches whoever waits at the end`() async throws {
        try await Self.with { seen, ground, client, startsPython in
            try startsPython()
            let (good, bad) = (Self.call("canvas.add", [1, 2]), Self.call("canvas.fail", [13], ["immutable": true]))
            let inner: JSONValue = ["chord": [good, bad], "body": Self.call("canvas.sum")]
            let canvases: [JSONValue] = [
                ["chain": [bad, ["group": [good, good]], Self.call("canvas.sum")]],
                ["chain": [good, ["group": [bad, Self.call("python.add", [1])]], Self.call("canvas.sum")]],
                ["chain": [good, ["group": [bad, Self.call("canvas.add", [1])]], Self.call("canvas.sum"), Self.call("canvas.add", [1])]],
                ["chord": [good, ["chain": [bad, good, good]]], "body": Self.call("python.sum")],
                ["chord": [good, inner], "body": Self.call("canvas.sum")],
                ["chord": [inner, good], "body": ["chain": [Self.call("canvas.sum"), Self.call("canvas.add", [1])]]],
            ]
            for canvas in canvases {
                let id = try await Self.apply(canvas, client)
                let raised = try await Self.raised(id, client)
                #expect(["ValueError", "ChordError"].contains(raised.type), "\(canvas.jsonText()): \(raised)")
            }
            #expect(seen.sums.all.isEmpty)
        }
    }
}
