import Foundation
import GRDB
import Harness
import Logging
import QueueKit
import QueueKitSQLite

/// Durable jobs in a SQLite file: enqueue, run, keep the result; beside huey with its SQLite storage, in a Python process that measures itself.
///
/// Both write a file of their own in WAL mode with `synchronous = FULL` for what is enqueued, each as it does by default otherwise: huey waits for
/// the disk with every transaction (a job's insertion, its removal when it is taken, and its result), and we with those that enqueue; huey
/// forgets a job that it has taken, and we keep it under a lease until its result is recorded. huey reads no result here, and we read every one.
/// It enqueues and takes jobs one by one, also those of a batch. Our jobs come alone from several callers at once, as from the handlers of a server's requests, or in batches from one.
enum SQLiteRows {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Who enqueues alone, and waits for the result before the next.
    private static let callers = 8

    private struct Note: Job {
        static let name = "bench.note"
        typealias Output = Int
        var number: Int
    }

    static func measure(rounds: Int, python: String) async throws -> [Comparison] {
        let directory = FileManager.default.currentDirectoryPath + "/.bench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let huey = try Huey(python: python, file: directory + "/huey.sqlite")
        defer { huey.end() }
        let database = try SQLiteQueueDatabase(path: directory + "/ours.sqlite")
        var logger = Logger(label: "bench")
        logger.logLevel = .warning
        let queue = JobQueue(sqlite: database, logger: logger)
        var comparisons: [Comparison] = []
        for (name, count, batch) in [("alone, \(Self.callers) callers", 400, 1), ("in batches of 100", 1_000, 100)] {
            let pairs = try await interleaved(rounds: rounds) {
                try await Self.jobsPerSecond(queue, database, count: count, batch: batch)
            } theirs: {
                try huey.jobsPerSecond(count: count, batch: batch)
            }
            comparisons.append(
                Comparison(
                    name: "SQLite, durable enqueue and run, \(name)", against: "huey, SQLite storage, fsync", unit: "jobs/s", bound: .min,
                    limit: 3, rounds: pairs))
        }
        return comparisons
    }

    private static func jobsPerSecond(_ queue: JobQueue, _ database: SQLiteQueueDatabase, count: Int, batch: Int) async throws -> Double {
        let worker = Worker(queue, concurrency: max(batch, Self.callers)) { $0.handle(Note.self) { job, _ in job.number } }
        let running = Task { try await worker.run() }
        let start = ContinuousClock.now
        if batch == 1 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<Self.callers {
                    group.addTask {
                        for number in 0..<(count / Self.callers) {
                            _ = try await queue.enqueue(Note(number: number)).value(timeout: .seconds(60))
                        }
                    }
                }
                try await group.waitForAll()
            }
        } else {
            for _ in 0..<(count / batch) {
                let receipts = try await database.writer.write { db in try (0..<batch).map { try queue.enqueue(Note(number: $0), in: db) } }
                for receipt in receipts { _ = try await receipt.value(timeout: .seconds(60)) }
            }
        }
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        // Results come before acknowledgements: a graceful end waits for those.
        running.cancel()
        try await running.value
        guard try await queue.counts().ready == 0 else { throw Failure(description: "jobs are left over") }
        return Double(count) / elapsed
    }
}
