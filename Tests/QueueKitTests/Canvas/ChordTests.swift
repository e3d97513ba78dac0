import QueueKit
import QueueKitTesting
import ScaleCore
import ScaleTesting
import Testing

/// Counts parts within the process, by the rules of ``ChordKeepingStore``, and fails when it is told to.
private final class ChordBook: ChordKeepingStore {
    struct Page: Sendable {
        var parts: [String: (index: Int, json: JSONValue)] = [:]
        var plan: ChordPlan?
        var claim: String?
        var isOver = false
    }

    enum Step: Hashable, Sendable {
        case prepare, report, renew, finish
        /// Of the end of this job.
        case record(String)
    }

    let base = MemoryResultStore()
    let pages = Locked<[String: Page]>([:])
    /// The next calls of a step that fail.
    let faults = Locked<(step: Step, left: Int, code: QueueError.Code)?>(nil)

    /// Chords of which another worker takes the claim before the one that has it begins to send.
    let thefts = Locked<Set<String>>([])

    private func meet(_ step: Step) throws {
        try self.faults.withLock { faults in
            guard let fault = faults, fault.step == step, fault.left > 0 else { return }
            faults?.left -= 1
            throw QueueError(code: fault.code, message: "no")
        }
    }

    func prepare(_ plan: ChordPlan) async throws {
        try self.meet(.prepare)
        self.pages.withLock { if $0[plan.group]?.isOver != true { $0[plan.group, default: Page()].plan = plan } }
    }

    func report(_ part: ChordPart, claim: String) async throws -> ChordReport {
        try self.meet(.report)
        return self.pages.withLock { pages in
            var page = pages[part.member.group] ?? Page()
            guard !page.isOver else { return .over }
            let key = part.member.job.rawValue
            if page.parts[key] == nil { page.parts[key] = (part.member.index ?? .max, part.json) }
            defer { pages[part.member.group] = page }
            guard let plan = page.plan, plan.size == page.parts.count, page.claim == nil else {
                return .counted(ended: page.parts.count, size: page.plan?.size)
            }
            page.claim = claim
            return .complete(parts: page.parts.values.sorted { $0.index < $1.index }.map(\.json), shape: plan.shape)
        }
    }

    func renew(_ claim: String, of group: String) async throws -> Bool {
        try self.meet(.renew)
        if self.thefts.withLock({ $0.remove(group) != nil }) { self.pages.withLock { $0[group]?.claim = "another worker's" } }
        return self.pages.withLock { $0[group]?.claim == claim }
    }

    func finish(_ group: String, claim: String) async throws {
        try self.meet(.finish)
        self.pages.withLock { if $0[group]?.claim == claim { $0[group]?.isOver = true } }
    }

    func giveUp(_ claim: String, of group: String) async throws {
        self.pages.withLock { if $0[group]?.claim == claim { $0[group]?.claim = nil } }
    }

    func record(_ status: JobStatus) async throws -> Bool {
        if status.state.isFinal { try self.meet(.record(status.id.rawValue)) }
        return try await self.base.record(status)
    }
    func status(of id: JobID) async throws -> JobStatus? { try await self.base.status(of: id) }
    func finalStatus(of id: JobID, within timeout: Duration) async throws -> JobStatus? {
        try await self.base.finalStatus(of: id, within: timeout)
    }
    func withdraw(_ id: JobID) async throws { try await self.base.withdraw(id) }
}

/// What a worker tells the chords that its jobs are parts of.
@Suite struct ChordTests {
    private struct Sum: Job {
        static let name = "proj.sum"
        typealias Output = Int
        var numbers: [Int]
    }

    private struct Note: Job {
        static let name = "proj.note"
        var id: String
    }

    /// A worker, whose sums and notes are seen. It cannot add a negative number.
    private struct World {
        let time = ManualTime()
        let broker: FakeBroker
        let book = ChordBook()
        let queue: JobQueue
        let worker: Worker
        let sums = RecordedFacts<[Int]>()
        let notes = RecordedFacts<String>()
        let runs = RecordedFacts<String>()

        init(keepsChords: Bool = true) {
            self.broker = FakeBroker(time: self.time.source)
            self.queue = JobQueue(
                broker: self.broker, results: keepsChords ? self.book : MemoryResultStore(time: self.time.source), time: self.time.source)
            self.worker = Worker(self.queue, concurrency: 1) { [sums, notes, runs] in
                $0.handle(Add.self) { job, context in
                    runs.record(context.id.rawValue)
                    if job.y < 0 { throw JobFailure("ValueError", "negative", isPermanent: true) }
                    return job.x + job.y
                }
                $0.handle(Sum.self) { job, _ in
                    sums.record(job.numbers)
                    return job.numbers.reduce(0, +)
                }
                $0.handle(Note.self) { job, _ in notes.record(job.id) }
            }
        }

        func send(_ call: TaskMessage) async throws {
            try await self.broker.publish(call.message(at: self.time.source.utcNow()), to: "celery", notBefore: nil)
        }

        /// A member of the chord `g`.
        func member(_ index: Int, _ y: Int64 = 1, body: JSONValue = ChordTests.body) -> TaskMessage {
            var call = FollowerTests.add(Int64(index), y, id: "m\(index)", ["chord": body])
            call.group = "g"
            call.groupIndex = index
            return call
        }

        func result(_ id: String) async throws -> JobStatus? { try await self.queue.status(of: JobID(rawValue: id) ?? JobID()) }

        /// Runs what is ready, and what comes back within ten minutes.
        func settle() async throws {
            for _ in 0..<10 {
                _ = try await self.time.run { try await self.worker.drain() }
                await self.time.advance(by: .seconds(60))
            }
        }
    }

    private static let body = FollowerTests.signature(
        Sum.name, id: "body", ["group_id": "g", "link_error": [FollowerTests.signature(Note.name)]])

    @Test func `the part that ends last sends the body, with the results in the order of the header`() async throws {
        let world = World()
        try await world.book.prepare(ChordPlan(group: "g", size: 3))
        for index in [2, 0] { try await world.send(world.member(index)) }
        try await world.settle()
        #expect(world.sums.all.isEmpty)
        try await world.send(world.member(1))
        try await world.settle()
        #expect(world.sums.all == [[1, 2, 3]])
        #expect(try await world.result("body")?.result == 6)
        #expect(try await world.result("body")?.parentID?.rawValue == "m1")
        #expect(try await world.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `a part that is run again counts once, and the body is sent once`() async throws {
        let world = World()
        try await world.book.prepare(ChordPlan(group: "g", size: 2))
        for index in [0, 0, 1, 0, 1] { try await world.send(world.member(index)) }
        try await world.settle()
        #expect(world.runs.all.count == 5)
        #expect(world.sums.all == [[1, 2]])
    }

    @Test func `a part that fails, or is called off, fails the body and calls its errbacks, when all have ended`() async throws {
        for isRevoked in [false, true] {
            let world = World()
            try await world.book.prepare(ChordPlan(group: "g", size: 2))
            var bad = world.member(0, isRevoked ? 1 : -1)
            if isRevoked { bad.expires = world.time.source.utcNow() }
            try await world.send(bad)
            try await world.settle()
            #expect(try await world.result("body") == nil)
            try await world.send(world.member(1))
            try await world.settle()
            let failure = try #require(try await world.result("body")?.failure)
            #expect(failure.type == "ChordError" && failure.module == "celery.exceptions")
            let cause = isRevoked ? "TaskRevokedError('expired')" : "ValueError('negative')"
            #expect(failure.message == "Dependency m0 raised \(cause)")
            #expect(world.notes.all == ["body"])
            #expect(world.sums.all.isEmpty)
        }
    }

    @Test func `a chord that has failed is the failed part of the one around it, and ends the chain behind it`() async throws {
        let world = World()
        let outer = FollowerTests.signature(Sum.name, id: "outer", ["group_id": "o"])
        let inner = FollowerTests.signature(
            Sum.name, id: "body",
            ["group_id": "o", "group_index": 0, "chord": outer, "chain": [FollowerTests.signature(Sum.name, id: "behind")]])
        try await world.book.prepare(ChordPlan(group: "g", size: 1))
        try await world.book.prepare(ChordPlan(group: "o", size: 1))
        try await world.send(world.member(0, -1, body: inner))
        try await world.settle()
        for id in ["body", "behind", "outer"] { #expect(try await world.result(id)?.failure?.type == "ChordError", "\(id)") }
        #expect(try await world.result("outer")?.failure?.message.hasPrefix("Dependency body raised ChordError(") == true)
    }

    @Test func `a failure in a chain is the failed part of the chord in which the chain stands`() async throws {
        let world = World()
        try await world.book.prepare(ChordPlan(group: "g", size: 1))
        let last = FollowerTests.signature(Add.name, [1], id: "last", ["group_id": "g", "group_index": 0, "chord": Self.body])
        try await world.send(FollowerTests.add(1, -1, ["chain": [last, FollowerTests.signature(Add.name, [1], id: "second")]]))
        try await world.settle()
        for id in ["second", "last"] { #expect(try await world.result(id)?.failure?.type == "ValueError") }
        #expect(try await world.result("body")?.failure?.message == "Dependency last raised ValueError('negative')")
    }

    @Test(arguments: ["prepare", "report", "renew", "finish"])
    func `while the results or the broker fail, no part is lost and none counts twice`(_ name: String) async throws {
        let world = World()
        let step: ChordBook.Step = ["prepare": .prepare, "report": .report, "renew": .renew][name] ?? .finish
        world.book.faults.withLock { $0 = (step, 4, .unavailable) }
        let members = (0..<2).map { FollowerTests.signature(Add.name, [.integer(Int64($0))], id: "m\($0)") }
        try await world.send(FollowerTests.add(1, 2, ["chain": [CanvasTests.chord(CanvasTests.group("g", members), Self.body)]]))
        try await world.settle()
        #expect(world.sums.all == [[3, 4]])
        #expect(try await world.result("body")?.result == 7)
        // What is not noted as over keeps its claim in this book; the last part has been acknowledged all the same.
        #expect(try await world.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `a part that was told when another worker held the claim comes back, until it is known what became of it`() async throws {
        let world = World()
        try await world.book.prepare(ChordPlan(group: "g", size: 1))
        world.book.pages.withLock { $0["g"]?.claim = "another worker's" }
        try await world.send(world.member(0))
        _ = try await world.time.run { try await world.worker.drain() }
        #expect(try await world.broker.counts(of: "celery") == QueueCounts(delayed: 1))
        // That worker has died, and its claim has ended.
        world.book.pages.withLock { $0["g"]?.claim = nil }
        try await world.settle()
        #expect(world.sums.all == [[1]])
        #expect(try await world.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `who has lost the claim by the time of sending does not send the body`() async throws {
        let world = World()
        try await world.book.prepare(ChordPlan(group: "g", size: 1))
        world.book.thefts.withLock { $0 = ["g"] }
        try await world.send(world.member(0))
        _ = try await world.time.run { try await world.worker.drain() }
        #expect(try await world.broker.counts(of: "celery") == QueueCounts(delayed: 1))
        // The other one has sent it.
        world.book.pages.withLock { $0["g"]?.isOver = true }
        try await world.settle()
        #expect(world.sums.all.isEmpty)
        #expect(try await world.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `a header without ids that is sent twice counts once`() async throws {
        let world = World()
        world.book.faults.withLock { $0 = (.prepare, 4, .unavailable) }
        let members = (0..<2).map { FollowerTests.signature(Add.name, [.integer(Int64($0))]) }
        try await world.send(FollowerTests.add(1, 2, ["chain": [CanvasTests.chord(CanvasTests.group("g", members), Self.body)]]))
        try await world.settle()
        #expect(world.sums.all == [[3, 4]])
        #expect(world.book.pages.withLock { $0["g"]?.parts.count } == 2)
    }

    @Test func `a body that cannot be sent now is sent later, and one that never can has failed`() async throws {
        let world = World()
        try await world.book.prepare(ChordPlan(group: "g", size: 1))
        try await world.send(world.member(0))
        world.broker.faults.plan(.failure(QueueError(code: .unavailable, message: "no")), times: 4) { $0 == .publish }
        try await world.settle()
        #expect(world.sums.all == [[1]])

        let other = World()
        try await other.book.prepare(ChordPlan(group: "g", size: 1))
        let body = FollowerTests.signature(Sum.name, id: "body", ["queue": .string(String(repeating: "q", count: 256))])
        try await other.send(other.member(0, body: body))
        try await other.settle()
        #expect(try await other.result("body")?.failure?.type == "NotImplementedError")
        #expect(try await other.result("m0")?.state == .success)
        #expect(try await other.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `a result that the chord's keeper will never take makes a failed part, and the job does not run for ever`() async throws {
        let world = World()
        try await world.book.prepare(ChordPlan(group: "g", size: 1))
        world.book.faults.withLock { $0 = (.report, 1, .messageTooLarge) }
        try await world.send(world.member(0))
        try await world.settle()
        #expect(world.runs.all == ["m0"])
        #expect(try await world.result("m0")?.state == .success)
        let failure = try await world.result("body")?.failure
        #expect(failure?.message == "Dependency m0 raised ValueError('the result cannot be kept for the chord')")
        #expect(world.sums.all.isEmpty)
        #expect(try await world.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `a body that is a group fails member by member by what has failed, and calls each one's errbacks once`() async throws {
        let world = World()
        let note = FollowerTests.signature(Note.name)
        let members = [
            FollowerTests.signature(Sum.name, id: "x1", ["link_error": [note]]), FollowerTests.signature(Sum.name, id: "x2"),
        ]
        let body = CanvasTests.of("group", ["tasks": .array(members)], ["task_id": "x", "link_error": [note]])
        try await world.book.prepare(ChordPlan(group: "g", size: 1))
        try await world.send(world.member(0, -1, body: body))
        try await world.settle()
        for id in ["x", "x1", "x2"] { #expect(try await world.result(id)?.failure?.type == "ValueError", "\(id)") }
        #expect(world.notes.all == ["x1", "x2"])
    }

    @Test func `a failed part whose chord cannot be told comes back, and its errbacks are called once`() async throws {
        let world = World()
        try await world.book.prepare(ChordPlan(group: "g", size: 1))
        world.book.faults.withLock { $0 = (.report, 4, .unavailable) }
        var bad = world.member(0, -1)
        bad.embed["errbacks"] = [FollowerTests.signature(Note.name)]
        try await world.send(bad)
        try await world.settle()
        #expect(world.runs.all == ["m0", "m0"])
        #expect(world.notes.all == ["body", "m0"])
        #expect(try await world.broker.counts(of: "celery") == QueueCounts(dead: 1))
    }

    @Test func `who waits for what cannot be sent is told, also when the results could not be reached at first`() async throws {
        let world = World()
        world.book.faults.withLock { $0 = (.record("lost"), 4, .unavailable) }
        try await world.send(FollowerTests.add(1, 2, ["callbacks": [FollowerTests.signature(Add.name, id: "lost", ["eta": "soon"])]]))
        try await world.settle()
        #expect(try await world.result("lost")?.failure?.type == "NotImplementedError")
        #expect(try await world.result("first")?.state == .success)
        #expect(try await world.broker.counts(of: "celery") == QueueCounts())
    }

    @Test func `who waits for a chord is told so by results that keep none, also when the job has failed`() async throws {
        for y in [1, -1] as [Int64] {
            let world = World(keepsChords: false)
            try await world.send(world.member(0, y))
            let chord = CanvasTests.chord([FollowerTests.signature(Add.name)], FollowerTests.signature(Add.name, id: "z"))
            try await world.send(FollowerTests.add(1, 2, ["chain": [chord]]))
            try await world.settle()
            #expect(try await world.result("m0")?.state == (y > 0 ? .success : .failure))
            for id in ["body", "z"] {
                let failure = try await world.result(id)?.failure
                #expect(failure?.type == "NotImplementedError" && failure?.message.contains("chord") == true, "\(id)")
            }
            #expect(world.sums.all.isEmpty)
        }
    }

    @Test func `a group needs no results that keep chords`() async throws {
        let world = World(keepsChords: false)
        let group = CanvasTests.group("g", (0..<3).map { FollowerTests.signature(Add.name, [.integer($0)], id: "m\($0)") })
        try await world.send(FollowerTests.add(1, 2, ["chain": [group]]))
        try await world.settle()
        for index in 0..<3 {
            let status = try await world.result("m\(index)")
            #expect(status?.result == .integer(Int64(3 + index)) && status?.groupID == "g")
        }
    }
}
