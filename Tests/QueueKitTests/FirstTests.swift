import QueueKit
import ScaleTesting
import Testing

private struct Add: Job {
    static let name = "proj.add"
    typealias Output = Int
    var x: Int
    var y: Int
}

@Test func `a job runs and its receipt yields the result`() async throws {
    let queue = JobQueue()
    let worker = Worker(queue, concurrency: 4) {
        $0.handle(Add.self) { job, _ in job.x + job.y }
    }
    let running = Task { try await worker.run() }
    let receipt = try await queue.enqueue(Add(x: 2, y: 3))
    #expect(try await receipt.value(timeout: .seconds(10)) == 5)
    #expect(try await receipt.state() == .success)
    running.cancel()
    try await running.value
}
