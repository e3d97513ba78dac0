#if SQLite
import Foundation
import QueueKit
import QueueKitSQLite
import ScaleTesting
import TestServers
import Testing

private struct Mark: Job {
    static let name = "test.mark"
    var number: Int
}

extension ChildProcess {
    /// A worker in a process of its own.
    fileprivate convenience init(_ scratch: Scratch, _ mode: String) throws {
        try self.init(try #require(ChildProcess.built("SQLiteWorkerProcess")), [scratch.path, scratch.directory, mode])
    }
}

@Suite struct ProcessTests {
    private static func notes(_ scratch: Scratch) -> [String] {
        let text = (try? String(contentsOfFile: scratch.directory + "/runs", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    @Test func `workers of two processes and of this one never run the same job twice`() async throws {
        let scratch = try Scratch()
        let queue = JobQueue(sqlite: try scratch.database())
        let others = [try ChildProcess(scratch, "run"), try ChildProcess(scratch, "run")]
        for number in 0..<100 { try await queue.enqueue(Mark(number: number)) }
        try await eventually(within: .seconds(60), "all jobs are done") { try await queue.counts() == QueueCounts() }
        for other in others { try await other.end(SIGKILL) }
        let notes = Self.notes(scratch)
        #expect(notes.filter { $0.hasPrefix("overlap") } == [])
        let ends = notes.filter { $0.hasPrefix("end") }
        #expect(ends.count == 100)
        #expect(Set(ends).count == 100)
    }

    @Test func `a job whose process is killed runs again elsewhere, once`() async throws {
        let scratch = try Scratch()
        let queue = JobQueue(sqlite: try scratch.database())
        let receipt = try await queue.enqueue(Mark(number: 1))
        let victim = try ChildProcess(scratch, "hang")
        try await eventually(within: .seconds(60), "the job has begun") { Self.notes(scratch) == ["begin 1 losses 0"] }
        try await victim.end(SIGKILL)
        let losses = RecordedFacts<Int>()
        let worker = Worker(queue, concurrency: 1) { $0.handle(Mark.self) { _, context in losses.record(context.losses) } }
        let running = Task { try await worker.run() }
        // The victim's lease lasts five seconds of real time; its end is waited for, not slept for.
        _ = try await receipt.value(timeout: .seconds(60))
        #expect(losses.all == [1])
        // The outcome is stored before the message is acknowledged.
        try await eventually("the message is acknowledged") { try await queue.counts() == QueueCounts() }
        running.cancel()
        try await running.value
    }

    @Test func `a worker is woken by what another process enqueues, and a caller by what another process finishes`() async throws {
        let scratch = try Scratch()
        let queue = JobQueue(sqlite: try scratch.database())
        let other = try ChildProcess(scratch, "run")
        let receipt = try await queue.enqueue(Mark(number: 1))
        _ = try await receipt.value(timeout: .seconds(60))
        try await other.end(SIGKILL)
        #expect(Self.notes(scratch) == ["begin 1 losses 0", "end 1"])
    }

    @Test func `a relay that is killed again and again loses nothing and keeps the order`() async throws {
        let scratch = try Scratch()
        let source = SQLiteBroker(try scratch.database())
        let destination = SQLiteBroker(try SQLiteQueueDatabase(path: scratch.directory + "/destination.sqlite"))
        let count = 1_000
        for number in 0..<count {
            let message = Message(headers: ["number": .integer(Int64(number))], properties: .init(), body: [])
            try await source.publish(message, to: "celery", notBefore: nil)
        }
        var kills = 0
        var relay = try ChildProcess(scratch, "relay")
        for arrived in [50, 200, 400, 700] {
            try await eventually(within: .seconds(60), "\(arrived) have arrived") {
                try await destination.counts(of: "celery").ready >= arrived
            }
            try await relay.end(SIGKILL)
            kills += 1
            relay = try ChildProcess(scratch, "relay")
        }
        try await eventually(within: .seconds(60), "all are relayed") { try await source.counts(of: "celery") == QueueCounts() }
        try await relay.end(SIGKILL)
        let request = ReceiveRequest(queues: ["celery"], limit: 2 * count, lease: .seconds(60), owner: "me", waits: false)
        let numbers = try await destination.receive(request).compactMap { $0.message.headers["number"]?.integerValue }
        var seen: Set<Int64> = []
        #expect(numbers.filter { seen.insert($0).inserted } == (0..<Int64(count)).map { $0 })
        #expect(numbers.count - count <= kills, "\(numbers.count - count) duplicates of \(kills) kills")
    }
}
#endif
