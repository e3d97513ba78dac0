import Foundation
import Logging
import QueueKit
import QueueKitSQLite

/// Where the instances and the worker meet: the queue of jobs.
enum Jobs {
    /// - Throws: `StartError` that names the flag and the file.
    static func open(_ choice: QueueChoice, logger: Logger) throws -> JobQueue {
        switch choice {
        case .memory:
            return JobQueue(logger: logger)
        case .sqlite(let path):
            do {
                return JobQueue(sqlite: try SQLiteQueueDatabase(path: path), logger: logger)
            } catch {
                throw StartError("--queue sqlite:\(path): cannot be opened or written; name a file in a writable directory")
            }
        }
    }

    /// Graces that are over before the process' own, of which the server may need some first; see ``ServiceRunner``.
    static var workerConfiguration: Worker.Configuration {
        var configuration = Worker.Configuration()
        configuration.grace = .seconds(5)
        configuration.cancellationGrace = .milliseconds(500)
        return configuration
    }

    /// The worker with the handlers of this service.
    static func worker(on queue: JobQueue, concurrency: Int, mailer: some Mailer) -> Worker {
        Worker(queue, concurrency: concurrency, configuration: Self.workerConfiguration) {
            $0.handle(SendEmailNotification.self) { job, context in
                try await mailer.notify(userID: job.userID, attempt: context.retries)
                return "sent to user \(job.userID)"
            }
        }
    }
}
