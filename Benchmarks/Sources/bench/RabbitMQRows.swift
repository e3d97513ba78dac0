import CRabbitMQBaseline
import Harness
import Logging
import QueueKit
import QueueKitRabbitMQ
import ScaleCore

/// Jobs through RabbitMQ, beside rabbitmq-c in C with the same messages and the same window, and beside Celery. All of them share one server,
/// which runs on the same processors: what it takes of them is not ours to save.
enum RabbitMQRows {
    private static let window = 256
    private static let bodyBytes = 300
    /// The queue is emptied after so many on every side: the longer it is, the slower the server takes messages.
    private static let publishedAtOnce = 15_000
    /// Some seconds of each side; Celery has enough with one portion.
    private static let portions = 4
    /// The backlog that a worker works off, on every side.
    private static let worked = 20_000

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private struct NoOperation: Job {
        static let name = "bench.noop"
        var text: String

        /// With this argument a body has the wanted length.
        static var ofBodyLength: NoOperation { NoOperation(text: String(repeating: "x", count: bodyBytes - emptyBody.count)) }
    }

    private static let emptyBody = #"[[],{"text":""},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]"#

    /// - Parameters:
    ///   - url: `amqp://user:password@host:port/`, whose queues `scalekit-bench…` are the rows'.
    ///   - python: with Celery; without it the comparisons with it are left out.
    static func measure(rounds: Int, url: String, python: String?) async throws -> [Comparison] {
        var comparisons = [
            try await Self.publishBesideC(rounds: rounds, url: url),
            try await Self.workBesideC(rounds: rounds, url: url),
        ]
        if let python {
            let peer = CeleryPeer(python: python, url: url, queue: "scalekit-bench-celery")
            comparisons += [
                try await Self.publishBesideCelery(rounds: min(rounds, 3), url: url, peer),
                try await Self.workBesideCelery(rounds: min(rounds, 3), url: url, peer),
            ]
        }
        return comparisons
    }

    // MARK: Rows

    private static func publishBesideC(rounds: Int, url: String) async throws -> Comparison {
        let baseline = try RabbitMQBaseline(url, queue: "scalekit-bench")
        let pairs = try await interleaved(rounds: rounds) {
            try await Self.publishedPerSecond(url, baseline)
        } theirs: {
            try baseline.empty()
            return try baseline.publish(
                Self.publishedAtOnce, portions: Self.portions, task: NoOperation.name, body: Self.body, window: Self.window)
        }
        return Comparison(
            name: "enqueue, confirmed, \(Self.window) callers, \(Self.bodyBytes) B", against: "rabbitmq-c, window of \(Self.window)",
            unit: "/s", bound: .min, limit: 0.7, rounds: pairs)
    }

    private static func publishBesideCelery(rounds: Int, url: String, _ peer: CeleryPeer) async throws -> Comparison {
        let ours = try RabbitMQBaseline(url, queue: "scalekit-bench")
        let theirs = try RabbitMQBaseline(url, queue: peer.queue)
        let pairs = try await interleaved(rounds: rounds) {
            try await Self.publishedPerSecond(url, ours)
        } theirs: {
            try theirs.empty()
            return try peer.publish(Self.publishedAtOnce, length: Self.bodyBytes - Self.emptyBody.count)
        }
        return Comparison(
            name: "enqueue, confirmed, \(Self.window) callers, \(Self.bodyBytes) B", against: "Celery apply_async, unconfirmed", unit: "/s",
            bound: .min, limit: 3, rounds: pairs)
    }

    private static func workBesideC(rounds: Int, url: String) async throws -> Comparison {
        let baseline = try RabbitMQBaseline(url, queue: "scalekit-bench")
        let pairs = try await interleaved(rounds: rounds) {
            try await Self.workedPerSecond(url, baseline)
        } theirs: {
            try Self.fill(baseline)
            return try baseline.consume(Self.worked, prefetch: 2 * Self.window)
        }
        return Comparison(
            name: "worker, no-op jobs, ack each", against: "rabbitmq-c consume loop", unit: "/s", bound: .min, limit: 0.25, rounds: pairs)
    }

    private static func workBesideCelery(rounds: Int, url: String, _ peer: CeleryPeer) async throws -> Comparison {
        let ours = try RabbitMQBaseline(url, queue: "scalekit-bench")
        let theirs = try RabbitMQBaseline(url, queue: peer.queue)
        let pairs = try await interleaved(rounds: rounds) {
            try await Self.workedPerSecond(url, ours)
        } theirs: {
            try Self.fill(theirs)
            return try peer.work(Self.worked)
        }
        return Comparison(
            name: "worker, no-op jobs, ack each", against: "Celery worker -c 2", unit: "/s", bound: .min, limit: 5, rounds: pairs)
    }

    // MARK: Our side

    private static var body: [UInt8] {
        let text = String(repeating: "x", count: Self.bodyBytes - Self.emptyBody.count)
        return Array(Self.emptyBody.replacing(#""text":"""#, with: #""text":"\#(text)""#).utf8)
    }

    private static var quiet: Logger {
        var logger = Logger(label: "bench")
        logger.logLevel = .critical
        return logger
    }

    private static func publishedPerSecond(_ url: String, _ baseline: RabbitMQBaseline) async throws -> Double {
        var configuration = RabbitMQBroker.Configuration()
        configuration.publishWindow = Self.window
        let broker = try RabbitMQBroker(url, configuration: configuration, logger: Self.quiet)
        var settings = JobQueue.Configuration()
        settings.defaultQueue = baseline.queue
        settings.metrics = CountingMetrics()
        let queue = JobQueue(broker: broker, results: MemoryResultStore(), configuration: settings, logger: Self.quiet)
        // One payload for all calls, and nobody who asks for results, as on the other sides.
        let job = NoOperation.ofBodyLength
        let options = EnqueueOptions(ignoresResult: true)
        try await queue.enqueue(job, options: options)
        var elapsed = Duration.zero
        for _ in 0..<Self.portions {
            try baseline.empty()
            elapsed += try await ContinuousClock().measure {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for caller in 0..<Self.window {
                        let share = (Self.publishedAtOnce + caller) / Self.window
                        group.addTask { for _ in 0..<share { try await queue.enqueue(job, options: options) } }
                    }
                    try await group.waitForAll()
                }
            }
        }
        await broker.shutdown()
        return Double(Self.portions * Self.publishedAtOnce) / (elapsed / .seconds(1))
    }

    private static func workedPerSecond(_ url: String, _ baseline: RabbitMQBaseline) async throws -> Double {
        try Self.fill(baseline)
        let broker = try RabbitMQBroker(url, logger: Self.quiet)
        var settings = JobQueue.Configuration()
        settings.defaultQueue = baseline.queue
        settings.metrics = CountingMetrics()
        let queue = JobQueue(broker: broker, results: MemoryResultStore(), configuration: settings, logger: Self.quiet)
        let progress = Progress(total: Self.worked)
        let worker = Worker(queue, concurrency: Self.window) {
            $0.handle(NoOperation.self) { _, _ in progress.count() }
        }
        let running = Task { try await worker.run() }
        let start = await progress.end()
        while try await queue.counts().leased > 0 { await Task.yield() }
        let elapsed = (ContinuousClock().now - start) / .seconds(1)
        running.cancel()
        _ = await running.result
        await broker.shutdown()
        return Double(Self.worked) / elapsed
    }

    private static func fill(_ baseline: RabbitMQBaseline) throws {
        try baseline.empty()
        _ = try baseline.publish(Self.worked, task: NoOperation.name, body: Self.body, window: 1_000)
    }

    /// Counts jobs, and tells when the last of them has begun, and since when.
    private final class Progress: Sendable {
        private struct State {
            var left: Int
            var start: ContinuousClock.Instant?
            var waiting: CheckedContinuation<ContinuousClock.Instant, Never>?
        }

        private let state: Locked<State>

        init(total: Int) {
            self.state = Locked(State(left: total))
        }

        func count() {
            let ended: (CheckedContinuation<ContinuousClock.Instant, Never>, ContinuousClock.Instant)? = self.state.withLock { state in
                let start = state.start ?? ContinuousClock().now
                state.start = start
                state.left -= 1
                guard state.left == 0, let waiting = state.waiting else { return nil }
                state.waiting = nil
                return (waiting, start)
            }
            if let (waiting, start) = ended { waiting.resume(returning: start) }
        }

        func end() async -> ContinuousClock.Instant {
            await withCheckedContinuation { continuation in
                let start: ContinuousClock.Instant? = self.state.withLock { state in
                    if state.left > 0 { state.waiting = continuation }
                    return state.left > 0 ? nil : state.start
                }
                if let start { continuation.resume(returning: start) }
            }
        }
    }
}

/// The C side, typed.
struct RabbitMQBaseline {
    let queue: String
    private let host: String
    private let port: Int32
    private let user: String
    private let password: String

    init(_ url: String, queue: String) throws {
        let service = try ServiceURL(url, schemes: [.amqp])
        guard let host = service.hosts.first else { throw RabbitMQRows.Failure(description: "--amqp has no host") }
        self.queue = queue
        self.host = host.name
        self.port = Int32(host.port ?? 5672)
        self.user = service.user ?? "guest"
        self.password = service.password?.reveal() ?? "guest"
    }

    /// Messages per second, of which the queue holds one portion at the end: it is emptied between two of them, off the clock.
    func publish(_ count: Int, portions: Int = 1, task: String, body: [UInt8], window: Int) throws -> Double {
        try self.rate(portions * count) { server, seconds in
            rabbitmq_baseline_publish(
                &server, task, Int32.random(in: 0...Int32.max), Int32(count), Int32(portions), Int32(window), body, body.count, &seconds)
        }
    }

    /// Messages per second.
    func consume(_ count: Int, prefetch: Int) throws -> Double {
        try self.rate(count) { server, seconds in rabbitmq_baseline_consume(&server, Int32(count), Int32(prefetch), &seconds) }
    }

    func empty() throws {
        _ = try self.rate(0) { server, _ in rabbitmq_baseline_empty(&server) }
    }

    private func rate(_ count: Int, _ call: (inout rabbitmq_baseline_server, inout Double) -> Int32) throws -> Double {
        try self.host.withCString { host in
            try self.user.withCString { user in
                try self.password.withCString { password in
                    try self.queue.withCString { queue in
                        var server = rabbitmq_baseline_server(
                            host: host, port: self.port, user: user, password: password, queue: queue)
                        var seconds = 0.0
                        let failure = call(&server, &seconds)
                        guard failure == 0 else { throw RabbitMQRows.Failure(description: "rabbitmq-c failed in step \(failure)") }
                        return Double(count) / seconds
                    }
                }
            }
        }
    }
}
