import Foundation
import Logging
import QueueKit
import QueueKitRabbitMQ
import QueueKitRedis
import ScaleCore

/// The place in which jobs wait, and their results, for those who look after them.
public struct QueueInspection: Sendable {
    public var queue: QueueChoice
    /// Where results of jobs on RabbitMQ are kept; the embedded brokers keep their own.
    public var results: StoreChoice
    /// The queue's name.
    public var name: String

    public init(queue: QueueChoice, results: StoreChoice = .memory, name: String = "celery") {
        self.queue = queue
        self.results = results
        self.name = name
    }

    /// How many messages the queue holds in which condition.
    public func counts() async throws -> QueueReport {
        let counts = try await self.withBroker { try await $0.counts(of: self.name) }
        // RabbitMQ tells nobody of what waits for its time, and each consumer of its own deliveries alone.
        let knows = self.knowsItself
        return QueueReport(
            name: self.name, ready: counts.ready, delayed: knows ? counts.delayed : nil, running: knows ? counts.leased : nil,
            dead: counts.dead)
    }

    /// The oldest dead letters.
    public func deadLetters(limit: Int) async throws -> [DeadLetterReport] {
        guard limit > 0 else { throw StartError("--limit \(limit): must be at least 1") }
        return try await self.withBroker { try await $0.deadLetters(of: self.name, limit: min(limit, 10_000)) }.map(DeadLetterReport.init)
    }

    /// Puts the dead letters of jobs back into the queue.
    ///
    /// - Throws: `StartError` that names the ids of which there was no dead letter, after the others were put back.
    public func retry(_ ids: [String]) async throws -> Int {
        let jobs = ids.map { JobID(rawValue: $0) }
        let wanted = Set(jobs.compactMap(\.self))
        let found = try await self.withBroker { try await $0.redrive(self.name, jobs: wanted) }
        let missing = zip(ids, jobs).filter { _, job in job.map { !found.contains($0) } ?? true }.map { PlainText.line($0.0) }
        guard missing.isEmpty else {
            throw StartError("no dead letter of \(missing.joined(separator: ", ")); \(found.count) put back")
        }
        return found.count
    }

    /// Puts all dead letters that there are now back into the queue.
    public func retryAll() async throws -> Int {
        try await self.withBroker { broker in
            let dead = try await broker.counts(of: self.name).dead
            var count = 0
            // In portions: a broker may have to hold them all in memory at a time.
            while count < dead {
                let portion = try await broker.redrive(self.name, limit: min(dead - count, 1000))
                guard portion > 0 else { break }
                count += portion
            }
            return count
        }
    }

    /// Removes what waits; what runs and what is dead stays.
    ///
    /// - Throws: `StartError` that says how many there are, unless the operator is `sure`.
    public func purge(sure: Bool) async throws -> Int {
        try await self.withBroker { broker in
            guard sure else {
                let counts = try await broker.counts(of: self.name)
                throw StartError("purge would remove \(counts.ready + counts.delayed) waiting jobs for ever; say --yes to do it")
            }
            return try await broker.purge(self.name)
        }
    }

    /// What is known about a job.
    ///
    /// - Throws: `StartError` when nothing is.
    public func show(_ id: String) async throws -> JobReport {
        guard let job = JobID(rawValue: id), let status = try await self.status(of: job) else {
            throw StartError("no job \(PlainText.line(id)) is known")
        }
        return JobReport(status)
    }

    private var knowsItself: Bool {
        switch self.queue {
        case .memory, .sqlite: true
        case .rabbitMQ: false
        }
    }

    private func status(of job: JobID) async throws -> JobStatus? {
        var clients = RedisClients(patience: Self.patience, logger: Self.logger)
        let results: any ResultStore
        if case .rabbitMQ = self.queue {
            guard let redis = try await clients.client(for: self.results, flag: "--results") else {
                throw StartError("--results: jobs on RabbitMQ have their results on Redis; name it as redis://HOST:PORT/DATABASE")
            }
            results = RedisResultStore(redis)
        } else {
            results = try self.file().results
        }
        let outcome: Result<JobStatus?, any Error>
        do {
            outcome = .success(try await results.status(of: job))
        } catch {
            outcome = .failure(Self.failure(error, self.knowsItself ? "--queue" : "--results"))
        }
        await clients.shutdown()
        return try outcome.get()
    }

    private func withBroker<Value: Sendable>(_ body: (any Broker) async throws -> Value) async throws -> Value {
        guard case .rabbitMQ(let url) = self.queue else { return try await self.failing { try await body(try self.file().broker) } }
        let broker = try RabbitMQ.open(url, patience: Self.patience, logger: Self.logger)
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await self.failing { try await body(broker) })
        } catch {
            outcome = .failure(error)
        }
        await broker.shutdown()
        return try outcome.get()
    }

    private func failing<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            throw Self.failure(error, "--queue")
        }
    }

    /// The queue in a file, which is to be there: looking at a file that is not would make one.
    private func file() throws -> JobQueue {
        guard case .sqlite(let path) = self.queue else {
            throw StartError("--queue memory: lives within one process; name what the instances use, as sqlite:FILE or amqp://HOST")
        }
        guard FileManager.default.fileExists(atPath: path) else { throw StartError("--queue sqlite:\(path): there is no such file") }
        return try Jobs.embedded(self.queue, logger: Self.logger)
    }

    private static func failure(_ error: any Error, _ flag: String) -> any Error {
        guard let error = error as? QueueError else { return error }
        return StartError("\(flag): \(error.message)")
    }

    /// An operator waits longer than a request may, and not for minutes.
    private static let patience = Patience(answer: .seconds(5))
    private static let logger = Logger(label: "jobs", factory: { _ in SwiftLogNoOpLogHandler() })
}
