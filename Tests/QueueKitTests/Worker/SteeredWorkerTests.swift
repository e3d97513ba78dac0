import Logging
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

@testable import QueueKit

/// The requests for messages that have no answer yet.
private final class OpenRequests: Sendable {
    private let state = Locked<(last: Int, requests: [Int: ReceiveRequest])>((0, [:]))

    var all: [ReceiveRequest] { Array(self.state.withLock { $0.requests }.values) }

    func during<Answer>(_ request: ReceiveRequest, _ body: () async throws -> Answer) async rethrows -> Answer {
        let number = self.state.withLock { state in
            state.last += 1
            state.requests[state.last] = request
            return state.last
        }
        defer { self.state.withLock { $0.requests[number] = nil } }
        return try await body()
    }
}

/// A broker that gives nothing to those who ask for messages of the queue `odd`, among others or alone, as one that is declared otherwise.
///
/// It also notes that it is told of fewer messages being wanted, and, as one that keeps states, whether whoever asks begins with the jobs.
private struct PickyBroker: PrefetchingBroker, StateKeepingBroker {
    let base: FakeBroker
    let states: MemoryResultStore?
    let refusals = Tally()
    /// About the queue `strange`, to which the answer is that it cannot be had.
    let questions = Tally()
    let left = RecordedFacts<String>()
    let shrinkings = RecordedFacts<Int>()
    let startsJobs = RecordedFacts<Bool>()
    let open = OpenRequests()
    /// Where messages of the queue `late` stop on their way to whoever asks, also when that one is cancelled.
    let late = Gate("messages on their way")

    init(_ base: FakeBroker, states: MemoryResultStore?) {
        self.base = base
        self.states = states
    }

    func leave(_ queue: String) async { self.left.record(queue) }
    func fetchLess() async { self.shrinkings.record(1) }

    func keepsStates(of results: any ResultStore) -> Bool { self.states != nil }

    func publishPending(_ message: Message, of job: JobID, to queue: String, notBefore: UTCTime?) async throws {
        try await self.base.publish(message, to: queue, notBefore: notBefore)
    }

    func acknowledge(_ lease: Lease, recording status: JobStatus) async throws {
        try await self.base.acknowledge(lease)
        _ = try await self.states?.record(status)
    }

    var capabilities: BrokerCapabilities { self.base.capabilities }

    func receive(_ request: ReceiveRequest) async throws -> [Delivery] {
        self.startsJobs.record(request.startsJobs)
        guard !request.queues.contains("odd"), !request.queues.contains("strange") else {
            self.refusals.increment()
            throw QueueError(code: .unavailable, message: "406 PRECONDITION_FAILED")
        }
        let deliveries = try await self.open.during(request) { try await self.base.receive(request) }
        if request.queues.contains("late") { try await self.late.pass(isCancellable: false) }
        return deliveries
    }

    func publish(_ message: Message, to queue: String, notBefore: UTCTime?) async throws {
        try await self.base.publish(message, to: queue, notBefore: notBefore)
    }
    func acknowledge(_ lease: Lease) async throws { try await self.base.acknowledge(lease) }
    func extend(_ leases: [Lease], by duration: Duration) async throws -> Set<Lease> { try await self.base.extend(leases, by: duration) }
    func release(_ lease: Lease) async throws { try await self.base.release(lease) }
    func retry(_ lease: Lease, with message: Message, notBefore: UTCTime?) async throws {
        try await self.base.retry(lease, with: message, notBefore: notBefore)
    }
    func deadLetter(_ lease: Lease, reason: String) async throws { try await self.base.deadLetter(lease, reason: reason) }
    func counts(of queue: String) async throws -> QueueCounts {
        guard queue != "strange" else {
            self.questions.increment()
            throw QueueError(code: .accessRefused, message: "406 PRECONDITION_FAILED")
        }
        return try await self.base.counts(of: queue)
    }
    func deadLetters(of queue: String, limit: Int) async throws -> [DeadLetter] {
        try await self.base.deadLetters(of: queue, limit: limit)
    }
    func redrive(_ queue: String, limit: Int) async throws -> Int { try await self.base.redrive(queue, limit: limit) }
    func redrive(_ queue: String, jobs: Set<JobID>) async throws -> Set<JobID> { try await self.base.redrive(queue, jobs: jobs) }
    func purge(_ queue: String) async throws -> Int { try await self.base.purge(queue) }
}

/// A worker that is steered while it runs, on a clock that stands still.
@Suite struct SteeredWorkerTests {
    private struct World {
        let time: ManualTime
        let broker: FakeBroker
        let picky: PickyBroker
        let transport = FakeMonitorTransport()
        let queue: JobQueue
        /// Where jobs of `Send` stop; and where those do that ignore that they are cancelled.
        let gate = Gate("handler")
        let worker: Worker

        init(concurrency: Int = 2, keepsStates: Bool = false) {
            (self.time, self.broker) = LeaseTests.fakes()
            let results = MemoryResultStore(time: self.time.source)
            self.picky = PickyBroker(self.broker, states: keepsStates ? results : nil)
            self.queue = JobQueue(
                broker: self.picky, results: results, time: self.time.source,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            var configuration = Worker.Configuration()
            configuration.name = "w1@host"
            var monitoring = WorkerMonitoring()
            monitoring.transport = self.transport
            monitoring.heartbeat = .seconds(1_000_000)
            configuration.monitoring = monitoring
            let gate = self.gate
            self.worker = Worker(self.queue, concurrency: concurrency, configuration: configuration) {
                $0.handle(Add.self) { job, _ in job.x + job.y }
                $0.handle(Send.self) { _, _ in try await gate.pass() }
                $0.handle(Limited.self) { _, _ in
                    try await gate.pass()
                    return "done"
                }
            }
        }

        /// Runs the worker while `body` runs, and ends it by a `shutdown`.
        func run(_ body: () async throws -> Void) async throws {
            let worker = self.worker
            let running = PendingCall("worker") { try await worker.run() }
            do {
                try await body()
                try await self.transport.ask("shutdown")
                try await running.value()
            } catch {
                running.cancel()
                throw error
            }
        }

        /// Asks, and returns the answer.
        func ask(_ method: String, _ arguments: String = "{}") async throws -> JSONValue {
            let before = self.answers.count
            try await self.transport.ask(method, arguments)
            return try await eventually("an answer to \(method)") {
                self.answers.count > before ? try JSONParser.parse(self.answers[before].message.body).objectValue?["w1@host"] : nil
            }
        }

        /// Runs a job to its end: the next one waits for the rate's interval.
        func takeToken() async throws {
            let first = try await self.queue.enqueue(Add(x: 1, y: 1))
            #expect(try await LeaseTests.end(of: first, on: self.queue) == .success)
        }

        private var answers: [MonitorPublication] { self.transport.published.all.filter { $0.exchange == "reply.celery.pidbox" } }

        /// The deliveries of a job.
        func leases(of job: JobID) -> [Delivery] {
            self.broker.facts.all.compactMap { fact in
                if case .leased(let delivery) = fact, TaskMessage.id(of: delivery.message) == job { delivery } else { nil }
            }
        }

        /// How often leases were extended.
        var extensions: Int {
            self.broker.facts.all.count { if case .extended = $0 { true } else { false } }
        }

        /// Waits until the worker has a job that has not begun.
        func waitForReserved() async throws {
            try await eventually("one is reserved") { try await self.ask("reserved").arrayValue?.isEmpty == false }
        }

        /// Waits until the worker asks for messages of these queues, or of none. Then it has followed all that it was told: who is told
        /// something else between its decision and its question still gets a message.
        func waitForRequest(of queues: [String], limit: Int? = nil) async throws {
            try await eventually("it asks for messages of \(queues)") {
                let open = self.picky.open.all
                if queues.isEmpty { return open.isEmpty }
                return open.count == 1 && open[0].queues == queues && limit.map { $0 == open[0].limit } ?? true
            }
        }

        func waitForCounts(_ counts: QueueCounts, of queue: String = "celery") async throws {
            try await eventually("\(counts)") { try await self.broker.counts(of: queue) == counts }
        }
    }

    // MARK: The pool

    @Test func `a worker that grows runs more jobs at once`() async throws {
        let world = World(concurrency: 1)
        try await world.run {
            for number in 0..<3 { try await world.queue.enqueue(Send(userID: number)) }
            try await world.gate.waitForArrivals(1)
            try await world.waitForCounts(QueueCounts(ready: 2, leased: 1))
            #expect(try await world.ask("pool_grow", #"{"n":2}"#) == ["ok": "pool will grow"])
            try await world.gate.waitForArrivals(3)
            #expect(world.picky.shrinkings.count == 0)
            #expect(try await world.ask("stats").objectValue?["pool"]?.objectValue?["max-concurrency"] == 3)
            world.gate.open()
            try await world.waitForCounts(QueueCounts())
        }
    }

    @Test func `a worker that shrinks lets run what runs, and runs fewer jobs from then on`() async throws {
        let world = World(concurrency: 3)
        try await world.run {
            var receipts: [JobReceipt<NoOutput>] = []
            for number in 0..<2 { receipts.append(try await world.queue.enqueue(Send(userID: number))) }
            try await world.gate.waitForArrivals(2)
            try await world.waitForRequest(of: ["celery"], limit: 1)
            #expect(try await world.ask("pool_shrink", #"{"n":2}"#) == ["ok": "pool will shrink"])
            _ = try await world.picky.shrinkings.waitForCount(1)
            // It waited for one more, and does so no longer.
            try await world.waitForRequest(of: [])
            for number in 2..<5 { receipts.append(try await world.queue.enqueue(Send(userID: number))) }
            await world.time.advance(by: .seconds(1))
            try await world.waitForCounts(QueueCounts(ready: 3, leased: 2))
            for arrivals in 3...5 {
                world.gate.letThrough(arrivals == 3 ? 2 : 1)
                try await world.gate.waitForArrivals(arrivals)
                try await world.waitForCounts(QueueCounts(ready: 5 - arrivals, leased: 1))
                #expect(world.gate.arrivals == arrivals)
            }
            world.gate.open()
            for receipt in receipts { #expect(try await LeaseTests.end(of: receipt, on: world.queue) == .success) }
        }
    }

    // MARK: Rates

    @Test func `jobs over the rate wait leased, unacknowledged and in reserved, while others run, and begin one by one`() async throws {
        let world = World(concurrency: 1)
        try await world.run {
            #expect(
                try await world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/s"}"#)
                    == ["ok": "new rate limit set successfully"])
            var receipts: [JobReceipt<Int>] = []
            for number in 0..<3 { receipts.append(try await world.queue.enqueue(Add(x: number, y: 1))) }
            #expect(try await LeaseTests.end(of: receipts[0], on: world.queue) == .success)
            try await world.waitForCounts(QueueCounts(leased: 2))
            let other = try await world.queue.enqueue(Limited())
            world.gate.open()
            #expect(try await LeaseTests.end(of: other, on: world.queue) == .success)
            let reserved = try await world.ask("reserved").arrayValue?.compactMap { $0.objectValue?["id"]?.stringValue }
            #expect(reserved == receipts.dropFirst().map(\.id.rawValue))
            #expect(try await receipts[1].state() == .pending)
            await world.time.advance(by: .milliseconds(999))
            #expect(try await receipts[1].state() == .pending)
            await world.time.advance(by: .milliseconds(1))
            #expect(try await LeaseTests.end(of: receipts[1], on: world.queue) == .success)
            try await world.waitForCounts(QueueCounts(leased: 1))
            #expect(
                try await world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":null}"#) == [
                    "ok": "rate limit disabled successfully"
                ])
            #expect(try await LeaseTests.end(of: receipts[2], on: world.queue) == .success)
        }
    }

    @Test func `at a shutdown jobs that wait for their rate go back at once, and count as not lost`() async throws {
        let world = World()
        try await world.run {
            _ = try await world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/h"}"#)
            for number in 0..<3 { try await world.queue.enqueue(Add(x: number, y: 1)) }
            try await world.waitForCounts(QueueCounts(leased: 2))
        }
        #expect(try await world.broker.counts(of: "celery") == QueueCounts(ready: 2))
        let request = ReceiveRequest(queues: ["celery"], limit: 5, lease: .seconds(1), owner: "other", waits: false)
        #expect(try await world.broker.receive(request).map(\.losses) == [0, 0])
    }

    @Test func `a job that waits longer than ten minutes goes back and comes again, its lease extended meanwhile`() async throws {
        let world = World()
        try await world.run {
            _ = try await world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":"2/h"}"#)
            try await world.takeToken()
            let second = try await world.queue.enqueue(Add(x: 2, y: 2))
            try await world.waitForReserved()
            // Once in twenty seconds its lease is extended, or it comes anew; that has happened before time goes on.
            for turn in 1..<90 {
                try await world.time.advance(by: .seconds(20), sleepers: 3)
                try await eventually("\(turn) extensions or leases") { world.leases(of: second.id).count + world.extensions > turn }
                #expect(try await second.state() == .pending, "\(turn)")
            }
            await world.time.advance(by: .seconds(20))
            #expect(try await LeaseTests.end(of: second, on: world.queue) == .success)
            let leased = world.leases(of: second.id).map(\.losses)
            #expect(leased.allSatisfy { $0 == 0 })
            #expect((2...4).contains(leased.count), "\(leased.count)")
        }
    }

    @Test func `a job that expires while it waits does not run`() async throws {
        let world = World()
        try await world.run {
            _ = try await world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/m"}"#)
            try await world.takeToken()
            var options = EnqueueOptions()
            options.expiresIn = .seconds(30)
            let second = try await world.queue.enqueue(Add(x: 2, y: 2), options: options)
            try await world.waitForReserved()
            await world.time.advance(by: .seconds(60))
            #expect(try await LeaseTests.end(of: second, on: world.queue) == .revoked)
            #expect(try await second.status()?.failure?.message == "expired")
        }
    }

    @Test func `a job whose lease is lost while it waits does not run here`() async throws {
        let world = World()
        try await world.run {
            _ = try await world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/h"}"#)
            try await world.takeToken()
            let second = try await world.queue.enqueue(Add(x: 2, y: 2))
            try await world.waitForReserved()
            world.broker.dropLeases()
            await world.time.advance(by: .seconds(20))
            try await eventually("nothing is reserved") { try await world.ask("reserved") == [] }
            #expect(try await second.state() == .pending)
        }
    }

    @Test func `while a rate is limited a broker that keeps states does not take what is leased for begun`() async throws {
        let world = World(keepsStates: true)
        try await world.run {
            #expect(try await world.picky.startsJobs.waitForCount(1) == [true])
            _ = try await world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/h"}"#)
            #expect(try await world.picky.startsJobs.waitForCount(2) == [true, false])
            _ = try await world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":0}"#)
            #expect(try await world.picky.startsJobs.waitForCount(3) == [true, false, true])
        }
    }

    // MARK: Time limits

    @Test func `a time limit that was set holds for jobs that begin from then on, and a message's own one before it`() async throws {
        let world = World(concurrency: 4)
        try await world.run {
            let first = try await world.queue.enqueue(Send(userID: 1))
            try await world.gate.waitForArrivals(1)
            let answer: JSONValue = ["ok": "time limits set successfully"]
            #expect(try await world.ask("time_limit", #"{"task_name":"proj.send","soft":1,"hard":9}"#) == answer)
            #expect(try await world.ask("time_limit", #"{"task_name":"proj.limited","soft":1}"#) == answer)
            let second = try await world.queue.enqueue(Send(userID: 2))
            let limited = try await world.queue.enqueue(Limited())
            try await world.gate.waitForArrivals(3)
            await world.time.advance(by: .seconds(1))
            try await eventually("its limit has passed") { try await second.state() == .retry }
            #expect(try await second.status()?.failure?.type == "SoftTimeLimitExceeded")
            #expect(try await limited.state() == .started)
            _ = try await world.ask("time_limit", #"{"task_name":"proj.send"}"#)
            await world.time.advance(by: .seconds(4))
            #expect(try await LeaseTests.end(of: limited, on: world.queue) == .failure)
            // Tried again, now without a limit.
            try await world.gate.waitForArrivals(4)
            // Longer than the limits that there were, and shorter than a lease.
            await world.time.advance(by: .seconds(30))
            #expect(try await first.state() == .started)
            #expect(try await second.state() == .started)
            world.gate.open()
            for receipt in [first, second] { #expect(try await LeaseTests.end(of: receipt, on: world.queue) == .success) }
        }
    }

    @Test func `a time limit that was set takes the place of both that the task has itself`() async throws {
        let world = World()
        try await world.run {
            _ = try await world.ask("time_limit", #"{"task_name":"proj.limited","hard":9}"#)
            // One that brings no limits, as from another language.
            let call = TaskMessage(task: Limited.name, id: JobID())
            try await world.broker.publish(call.message(at: world.time.source.utcNow()), to: "celery", notBefore: nil)
            try await world.gate.waitForArrivals(1)
            await world.time.advance(by: .seconds(8))
            await world.time.advance(by: .seconds(1))
            let receipt = world.queue.receipt(for: call.id, of: Limited.self)
            #expect(try await LeaseTests.end(of: receipt, on: world.queue) == .failure)
            #expect(try await receipt.status()?.failure?.type == "TimeLimitExceeded")
        }
    }

    // MARK: The loop

    @Test func `a wait for messages by settings that hold no more, or in a shutdown, ends at once`() {
        let (time, broker) = LeaseTests.fakes()
        let old = WorkerSettings(concurrency: 1, queues: ["celery"])
        let slots = WorkerSlots(
            limits: .init(lease: .seconds(30), grace: .seconds(20), cancellationGrace: .seconds(5)), settings: old, broker: broker,
            time: time.source, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        func isEnded(by settings: WorkerSettings) -> Bool {
            let gate = Gate("messages")
            defer { gate.open() }
            let receiving = Task { () async throws -> [Delivery] in
                try await gate.pass()
                return []
            }
            slots.isReceiving(with: receiving, by: settings)
            defer { slots.isNotReceiving() }
            return receiving.isCancelled
        }
        #expect(!isEnded(by: old))
        var new = old
        new.setConcurrency(2)
        slots.apply(new)
        #expect(isEnded(by: old))
        #expect(!isEnded(by: new))
        slots.shutdown()
        #expect(isEnded(by: new))
    }

    @Test func `a message that comes when a shutdown has begun is given back, and counts as not lost`() async throws {
        let world = World()
        let worker = world.worker
        try await world.queue.enqueue(Add(x: 1, y: 1), options: EnqueueOptions(queue: "late"))
        let running = PendingCall("worker") { try await worker.run() }
        _ = try await world.ask("add_consumer", #"{"queue":"late"}"#)
        try await world.picky.late.waitForArrivals()
        worker.slots.shutdown()
        world.picky.late.open()
        try await running.value()
        #expect(try await world.broker.counts(of: "late") == QueueCounts(ready: 1))
        let request = ReceiveRequest(queues: ["late"], limit: 5, lease: .seconds(1), owner: "other", waits: false)
        #expect(try await world.broker.receive(request).map(\.losses) == [0])
    }

    // MARK: Queues

    private static func names(_ world: World) async throws -> [String]? {
        try await world.ask("active_queues").arrayValue?.compactMap { $0.objectValue?["name"]?.stringValue }
    }

    @Test func `a queue is added and left while the worker runs, the last one too`() async throws {
        let world = World()
        let mails = EnqueueOptions(queue: "mails")
        try await world.run {
            let first = try await world.queue.enqueue(Add(x: 1, y: 1), options: mails)
            #expect(try await world.queue.enqueue(Add(x: 2, y: 2)).value(timeout: .seconds(30)) == 4)
            #expect(try await first.state() == .pending)
            #expect(try await world.ask("add_consumer", #"{"queue":"mails"}"#) == ["ok": "add consumer mails"])
            #expect(try await first.value(timeout: .seconds(30)) == 2)
            try await eventually("it is one of the worker's") { try await Self.names(world) == ["celery", "mails"] }
            #expect(try await world.queue.enqueue(Add(x: 3, y: 3), options: mails).value(timeout: .seconds(30)) == 6)
            try await world.waitForRequest(of: ["celery", "mails"])
            #expect(try await world.ask("cancel_consumer", #"{"queue":"mails"}"#) == ["ok": "no longer consuming from mails"])
            #expect(try await Self.names(world) == ["celery"])
            #expect(try await world.picky.left.waitForCount(1) == ["mails"])
            try await world.waitForRequest(of: ["celery"])
            let late = try await world.queue.enqueue(Add(x: 4, y: 4), options: mails)
            #expect(try await world.queue.enqueue(Add(x: 5, y: 5)).value(timeout: .seconds(30)) == 10)
            try await world.waitForRequest(of: ["celery"])
            _ = try await world.ask("cancel_consumer", #"{"queue":"celery"}"#)
            #expect(try await Self.names(world) == [])
            try await world.waitForRequest(of: [])
            let last = try await world.queue.enqueue(Add(x: 6, y: 6))
            await world.time.advance(by: .seconds(60))
            #expect(try await late.state() == .pending)
            #expect(try await last.state() == .pending)
            _ = try await world.ask("add_consumer", #"{"queue":"celery"}"#)
            #expect(try await last.value(timeout: .seconds(30)) == 12)
        }
    }

    @Test func `a queue that cannot be taken from is not one of the worker's, which goes on`() async throws {
        let world = World()
        try await world.run {
            #expect(try await world.queue.enqueue(Add(x: 1, y: 1)).value(timeout: .seconds(30)) == 2)
            _ = try await world.ask("add_consumer", #"{"queue":"odd"}"#)
            try await eventually("it is tried") { world.picky.refusals.count > 0 }
            #expect(try await world.queue.enqueue(Add(x: 2, y: 2)).value(timeout: .seconds(30)) == 4)
            #expect(try await Self.names(world) == ["celery"])
            #expect(world.picky.refusals.count == 1)
        }
    }

    @Test func `a queue is asked about before messages are asked for, since a refusal of those could end leases`() async throws {
        let world = World()
        try await world.run {
            _ = try await world.ask("add_consumer", #"{"queue":"strange"}"#)
            try await eventually("it is asked about") { world.picky.questions.count > 0 }
            #expect(try await world.queue.enqueue(Add(x: 1, y: 1)).value(timeout: .seconds(30)) == 2)
            #expect(try await Self.names(world) == ["celery"])
            #expect(world.picky.refusals.count == 0)
        }
    }

    @Test func `hostile commands leave the worker as it is`() async throws {
        let world = World()
        try await world.run {
            for (method, arguments) in [
                ("pool_grow", #"{"n":9223372036854775808}"#), ("pool_grow", #"{"n":-1}"#), ("pool_shrink", #"{"n":"all"}"#),
                ("rate_limit", #"{"task_name":"proj.add","rate_limit":"1e-300/h"}"#),
                ("time_limit", #"{"task_name":"proj.add","soft":-1}"#),
                ("add_consumer", #"{"queue":"a\u0007"}"#), ("add_consumer", "[1]"), ("pool_grow", #""n""#),
            ] {
                let answer = try await world.ask(method, arguments)
                #expect(answer.objectValue?["error"] != nil || arguments.first != "{", "\(method)")
            }
            #expect(try await Self.names(world) == ["celery"])
            #expect(try await world.queue.enqueue(Add(x: 1, y: 1)).value(timeout: .seconds(30)) == 2)
        }
    }
}
