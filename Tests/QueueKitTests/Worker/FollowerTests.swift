import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

/// What Celery's clients put behind a job: `link`, `link_error`, `chain`.
@Suite struct FollowerTests {
    static func signature(_ task: String, _ args: [JSONValue] = [], id: String? = nil, _ options: JSONObject = [:], more: JSONObject = [:])
        -> JSONValue
    {
        var options = options
        if let id { options["task_id"] = .string(id) }
        var object: JSONObject = [
            "task": .string(task), "args": .array(args), "kwargs": [:], "options": .object(options), "subtask_type": nil,
            "immutable": false,
        ]
        for (key, value) in more { object[key] = value }
        return .object(object)
    }

    static func add(_ x: Int64, _ y: Int64, id: String = "first", _ embed: JSONObject) -> TaskMessage {
        var call = TaskMessage(task: Add.name, id: JobID(rawValue: id) ?? JobID())
        call.arguments = [.integer(x), .integer(y)]
        for (key, value) in embed { call.embed[key] = value }
        return call
    }

    static func send(_ call: TaskMessage, _ jobs: RecordingQueue) async throws {
        try await jobs.broker.publish(call.message(at: jobs.time.utcNow()), to: "celery", notBefore: nil)
    }

    static func result(_ id: String, _ jobs: RecordingQueue) async throws -> JobStatus? {
        try await jobs.queue.status(of: JobID(rawValue: id) ?? JobID())
    }

    @Test func `a chain goes on with the result, part by part, each on behalf of the one before`() async throws {
        let seen = RecordedFacts<JobContext>()
        let jobs = RecordingQueue {
            $0.handle(Add.self) { job, context in
                seen.record(context)
                return job.x + job.y
            }
        }
        // In reverse, as Celery has it.
        try await Self.send(
            Self.add(
                1, 2,
                [
                    "chain": [
                        Self.signature(Add.name, [100], id: "third"),
                        Self.signature(Add.name, [10], id: "second", ["priority": 3, "headers": ["tenant": "a"]]),
                    ]
                ]), jobs)
        #expect(try await jobs.drain() == 3)
        #expect(try await Self.result("second", jobs)?.result == 13)
        #expect(try await Self.result("third", jobs)?.result == 113)
        #expect(seen.all.map(\.id.rawValue) == ["first", "second", "third"])
        #expect(seen.all.map(\.rootID?.rawValue) == ["first", "first", "first"])
        #expect(seen.all.map(\.parentID?.rawValue) == [nil, "first", "second"])
        #expect(seen.all.map(\.headers) == [[:], ["tenant": "a"], [:]])
    }

    @Test func `each callback gets the result, unless it is immutable, at its time and in its queue`() async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x + job.y } }
        try await Self.send(
            Self.add(
                1, 2,
                [
                    "callbacks": [
                        Self.signature(Add.name, [10], id: "linked", ["link": Self.signature(Add.name, [20], id: "behind")]),
                        Self.signature(Add.name, [5, 6], id: "own", more: ["immutable": true]),
                        Self.signature(Add.name, [1], id: "later", ["countdown": 10]),
                        Self.signature("python.task", [1], id: "elsewhere", ["queue": "other"]),
                    ]
                ]), jobs)
        #expect(try await jobs.drain() == 4)
        #expect(try await Self.result("linked", jobs)?.result == 13)
        #expect(try await Self.result("behind", jobs)?.result == 33)
        #expect(try await Self.result("own", jobs)?.result == 11)
        #expect(try await Self.result("later", jobs) == nil)
        #expect(try await jobs.broker.counts(of: "other").ready == 1)
        #expect(try await jobs.advance(by: .seconds(10)) == 1)
        #expect(try await Self.result("later", jobs)?.result == 4)
    }

    @Test func `what cannot be sent from here fails for those who wait for it, and the job itself has succeeded`() async throws {
        let jobs = RecordingQueue { $0.handle(Add.self) { job, _ in job.x + job.y } }
        let calls: [JSONObject] = [
            ["chain": [Self.signature(Add.name, id: "z0"), Self.signature("celery.chord", id: "y0", more: ["subtask_type": "chord"])]],
            ["chain": [Self.signature(Add.name, id: "z1"), 7]],
            ["chain": [Self.signature(Add.name, id: "z2"), Self.signature("", id: "y2")]],
            ["callbacks": [Self.signature(Add.name, id: "z3", ["eta": "soon"])]],
            ["callbacks": [Self.signature(Add.name, id: "z4", ["queue": .string(String(repeating: "q", count: 256))])]],
            ["callbacks": [Self.signature(String(repeating: "t", count: 256), id: "z5")]],
            ["chord": Self.signature(Add.name, id: "z6")],
        ]
        for (index, embed) in calls.enumerated() { try await Self.send(Self.add(1, 2, id: "job\(index)", embed), jobs) }
        #expect(try await jobs.drain() == calls.count)
        for index in calls.indices {
            #expect(try await Self.result("job\(index)", jobs)?.state == .success)
            let lost = try await Self.result("z\(index)", jobs)
            #expect(lost?.state == .failure && lost?.failure?.type == "NotImplementedError", "\(index)")
        }
        #expect(try await jobs.broker.counts(of: "celery") == QueueCounts())
        // Lists that are none have nothing in them.
        try await Self.send(Self.add(1, 2, id: "odd", ["chain": "x", "callbacks": 7, "errbacks": ["a": 1]]), jobs)
        #expect(try await jobs.drain() == 1)
        #expect(try await Self.result("odd", jobs)?.state == .success)
    }

    @Test func `a job whose followers cannot be sent comes back, and its success is told when they are`() async throws {
        let runs = Tally()
        let time = ManualTime()
        let broker = FakeBroker(time: time.source)
        let queue = JobQueue(broker: broker, results: MemoryResultStore(time: time.source), time: time.source)
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Add.self) { job, _ in
                runs.increment()
                return job.x + job.y
            }
        }
        let call = Self.add(1, 2, ["chain": [Self.signature(Add.name, [10], id: "second")]])
        try await broker.publish(call.message(at: time.source.utcNow()), to: "celery", notBefore: nil)
        broker.faults.plan(.failure(QueueError(code: .unavailable, message: "no")), times: 4) { $0 == .publish }
        #expect(try await time.run { try await worker.drain() } == 1)
        #expect(try await queue.status(of: call.id)?.state == .started)
        #expect(try await broker.counts(of: "celery") == QueueCounts(delayed: 1))
        await time.advance(by: .seconds(60))
        #expect(try await worker.drain() == 2)
        #expect(runs.count == 3)
        #expect(try await queue.status(of: call.id)?.state == .success)
        #expect(try await queue.status(of: JobID(rawValue: "second") ?? JobID())?.result == 13)
    }

    @Test func `a failure ends the chain behind it, and its errbacks get the job's id`() async throws {
        struct Note: Job {
            static let name = "proj.note"
            var id: String
        }
        let notes = RecordedFacts<String>()
        let jobs = RecordingQueue {
            $0.handle(Add.self) { _, _ in throw JobFailure("ValueError", "no", isPermanent: true) }
            $0.handle(Note.self) { job, _ in notes.record(job.id) }
        }
        try await Self.send(
            Self.add(
                1, 2,
                [
                    "chain": [Self.signature(Add.name, [1], id: "third"), Self.signature(Add.name, [1], id: "second")],
                    "errbacks": [Self.signature(Note.name)], "callbacks": [Self.signature(Note.name, id: "never")],
                ]), jobs)
        try await jobs.drain()
        #expect(notes.all == ["first"])
        for id in ["first", "second", "third"] {
            let status = try await Self.result(id, jobs)
            #expect(status?.state == .failure && status?.failure?.type == "ValueError", "\(id)")
        }
        #expect(try await Self.result("never", jobs) == nil)
        #expect(try await jobs.broker.counts(of: "celery").dead == 1)
    }
}
