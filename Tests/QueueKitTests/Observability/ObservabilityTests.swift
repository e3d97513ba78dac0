import InMemoryTracing
import Logging
import MetricsTestKit
import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing
import Tracing

@Suite struct MetricsTests {
    @Test func `enqueued, started, succeeded, retried, failed, dead and revoked jobs are counted`() async throws {
        let metrics = TestMetrics()
        var configuration = JobQueue.Configuration()
        configuration.metrics = metrics
        let jobs = RecordingQueue(configuration: configuration) {
            $0.handle(Add.self) { job, _ in job.x }
            $0.handle(Send.self) { _, _ in throw Boom() }
        }
        try await jobs.queue.enqueue(Add(x: 1, y: 1))
        try await jobs.queue.enqueue(Send(userID: 1))
        try await jobs.queue.enqueue(Add(x: 1, y: 1), delay: .seconds(5), options: .init(expiresIn: .seconds(1)))
        try await jobs.advance(by: .seconds(60))
        func count(_ event: String, _ task: String) throws -> Int64 {
            try metrics.expectCounter("queuekit_jobs_" + event, [("queue", "celery"), ("task", task)]).totalValue
        }
        #expect(try count("enqueued", Add.name) == 2)
        #expect(try count("started", Add.name) == 1)
        #expect(try count("succeeded", Add.name) == 1)
        #expect(try count("revoked", Add.name) == 1)
        #expect(try count("started", Send.name) == 4)
        #expect(try count("retried", Send.name) == 3)
        #expect(try count("failed", Send.name) == 1)
        #expect(try count("dead_lettered", Send.name) == 1)
        #expect(try metrics.expectTimer("queuekit_job_duration_seconds", [("queue", "celery"), ("task", Add.name)]).values.count == 1)
        _ = try await jobs.queue.counts()
        #expect(try metrics.expectGauge("queuekit_queue_depth", [("queue", "celery"), ("condition", "dead")]).lastValue == 1)
    }

    @Test func `names of tasks that come from outside are not made into dimensions`() async throws {
        let metrics = TestMetrics()
        var configuration = JobQueue.Configuration()
        configuration.metrics = metrics
        let jobs = RecordingQueue(configuration: configuration)
        let call = TaskMessage(task: "made.up", id: JobID())
        try await jobs.broker.publish(call.message(at: jobs.time.utcNow()), to: "celery", notBefore: nil)
        try await jobs.drain()
        #expect(try metrics.expectCounter("queuekit_jobs_failed", [("queue", "celery"), ("task", "unregistered")]).totalValue == 1)
    }
}

@Suite struct LoggingTests {
    private struct Sink: LogHandler {
        let lines: RecordedFacts<String>
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let all = self.metadata.merging(event.metadata ?? [:]) { $1 }
            self.lines.record("\(event.message) \(all)")
        }
    }

    private struct Secretive: Job {
        static let name = "secretive"
        static let defaults = JobDefaults(retry: JobRetryPolicy(maximumRetries: 1))
        typealias Output = String
        var password: String
    }

    @Test func `no payload, result or error content is logged`() async throws {
        let lines = RecordedFacts<String>()
        let time = ManualTime()
        let broker = FakeBroker(time: time.source)
        let logger = Logger(label: "test") { _ in Sink(lines: lines) }
        let queue = JobQueue(broker: broker, results: MemoryResultStore(time: time.source), time: time.source, logger: logger)
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Secretive.self) { job, _ in
                if job.password == "hunter2-ok" { return "hunter2-result" }
                throw Boom()
            }
        }
        try await queue.enqueue(Secretive(password: "hunter2-ok"))
        try await queue.enqueue(Secretive(password: "hunter2-fails"))
        var wrong = TaskMessage(task: Secretive.name, id: JobID())
        wrong.arguments = [["hunter2": 1]]
        try await broker.publish(wrong.message(at: time.utcNow()), to: "celery", notBefore: nil)
        var malformed = wrong.message(at: time.utcNow())
        malformed.body = Array("[[hunter2".utf8)
        try await broker.publish(malformed, to: "celery", notBefore: nil)
        try await worker.drain()
        await time.advance(by: .seconds(600))
        try await worker.drain()
        #expect(lines.count >= 5)
        #expect(lines.all.filter { $0.contains("hunter2") } == [])
        #expect(lines.all.contains { $0.contains("job succeeded") && $0.contains(Secretive.name) })
        for letter in try await broker.deadLetters(of: "celery", limit: 10) { #expect(!letter.reason.contains("hunter2")) }
    }
}

@Suite struct MiddlewareTests {
    private struct Noting: JobMiddleware {
        let name: String
        let notes: RecordedFacts<String>

        func prepare(_ message: inout TaskMessage, for queue: String) throws {
            if message.userHeaders["refuse"] != nil { throw Boom() }
            self.notes.record("\(self.name) prepares for \(queue)")
            message.userHeaders[self.name] = true
        }

        func run(_ context: JobContext, next: () async throws -> Void) async throws {
            self.notes.record("\(self.name) begins \(context.retries)")
            defer { self.notes.record("\(self.name) ends") }
            try await next()
        }
    }

    private static func world(_ notes: RecordedFacts<String>) -> RecordingQueue {
        var configuration = JobQueue.Configuration()
        configuration.middleware = [Noting(name: "outer", notes: notes), Noting(name: "inner", notes: notes)]
        return RecordingQueue(configuration: configuration) { $0.handle(Add.self) { job, _ in job.x } }
    }

    @Test func `middleware takes part in order, around the handler from the outside in`() async throws {
        let notes = RecordedFacts<String>()
        let jobs = Self.world(notes)
        let receipt = try await jobs.queue.enqueue(Add(x: 4, y: 1))
        try await jobs.drain()
        #expect(try await receipt.value(timeout: .zero) == 4)
        #expect(
            notes.all == [
                "outer prepares for celery", "inner prepares for celery", "outer begins 0", "inner begins 0", "inner ends", "outer ends",
            ])
        #expect(try jobs.expectEnqueued(Add.self).message.userHeaders == ["outer": true, "inner": true])
    }

    @Test func `middleware can refuse a job`() async throws {
        let jobs = Self.world(RecordedFacts())
        await #expect(throws: Boom.self) { try await jobs.queue.enqueue(Add(x: 1, y: 1), options: .init(headers: ["refuse": true])) }
        try jobs.expectNotEnqueued(Add.self)
    }
}

@Suite struct TracingTests {
    @Test func `the trace of the caller continues in the handler, through retries, in headers that Celery's peers can read`() async throws {
        let tracer = InMemoryTracer()
        var configuration = JobQueue.Configuration()
        configuration.tracer = tracer
        let jobs = RecordingQueue(configuration: configuration) {
            $0.handle(Send.self) { _, context in
                if context.retries == 0 { throw Boom() }
            }
        }
        let receipt = try await jobs.queue.enqueue(Send(userID: 1))
        try await jobs.advance(by: .seconds(60))

        let spans = tracer.finishedSpans
        #expect(spans.map(\.operationName) == ["send celery", "process celery", "process celery"])
        #expect(spans.map(\.kind) == [.producer, .consumer, .consumer])
        let producer = try #require(spans.first)
        #expect(Set(spans.map(\.spanContext.traceID)) == [producer.spanContext.traceID])
        #expect(spans.dropFirst().allSatisfy { $0.spanContext.parentSpanID == producer.spanContext.spanID })
        for span in spans {
            #expect(span.attributes["messaging.destination.name"]?.toSpanAttribute() == .string("celery"))
            #expect(span.attributes["messaging.message.id"]?.toSpanAttribute() == .string(receipt.id.rawValue))
            #expect(span.attributes["queuekit.task"]?.toSpanAttribute() == .string(Send.name))
        }
        let headers = try jobs.expectEnqueued(Send.self).message.userHeaders
        #expect(headers[InMemoryTracer.spanIDKey]?.stringValue == producer.spanContext.spanID)
    }

    @Test func `a job that is refused ends its span with the error`() async throws {
        let tracer = InMemoryTracer()
        var configuration = JobQueue.Configuration()
        configuration.tracer = tracer
        let queue = JobQueue(configuration: configuration)
        await #expect(throws: QueueError.self) { try await queue.enqueue(Send(userID: 1), options: .init(queue: "")) }
        #expect(tracer.finishedSpans.map(\.errors.count) == [1])
    }
}
