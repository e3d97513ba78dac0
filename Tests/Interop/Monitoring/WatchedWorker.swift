import QueueKit
import ScaleTesting
import TestServers

/// A Swift worker `swift@tests` that is watched, with a job of each kind.
struct WatchedWorker {
    static let node = "swift@tests"

    struct Sum: Job {
        static let name = "swift.sum"
        typealias Output = Int
        var x: Int
        var y: Int
    }

    struct Fail: Job {
        static let name = "swift.fail"
        static let defaults = JobDefaults(retry: .never)
    }

    /// Fails once.
    struct Again: Job {
        static let name = "swift.again"
        static let defaults = JobDefaults(retry: JobRetryPolicy(maximumRetries: 1, baseDelay: .zero))
    }

    /// Runs until it is cancelled.
    struct Stay: Job {
        static let name = "swift.stay"
        static let defaults = JobDefaults(retry: .never)
    }

    let ground: InteropGround
    let running: PendingCall<Void>

    static func with(_ body: (WatchedWorker) async throws -> Void) async throws {
        try await InteropGround.with { ground in
            var configuration = Worker.Configuration()
            configuration.name = Self.node
            configuration.monitoring = .init()
            let worker = Worker(ground.queue, concurrency: 4, configuration: configuration) {
                $0.handle(Sum.self) { job, _ in job.x + job.y }
                $0.handle(Fail.self) { _, _ in throw JobFailure("ValueError", "no such user") }
                $0.handle(Again.self) { _, context in if context.retries == 0 { throw JobFailure("KeyError", "again") } }
                $0.handle(Stay.self) { _, _ in try await Gate("for ever").pass(within: .seconds(600)) }
            }
            let running = PendingCall("the worker's run") { try await worker.run() }
            do {
                try await body(WatchedWorker(ground: ground, running: running))
            } catch {
                running.cancel()
                throw error
            }
            running.cancel()
            try await running.value()
        }
    }

    var host: RabbitMQVirtualHost { self.ground.host }
    var queue: JobQueue { self.ground.queue }

    /// A job whose handler runs.
    func startStaying() async throws -> JobReceipt<NoOutput> {
        let receipt = try await self.queue.enqueue(Stay())
        try await eventually("the job runs") { try await receipt.state() == .started }
        return receipt
    }
}
