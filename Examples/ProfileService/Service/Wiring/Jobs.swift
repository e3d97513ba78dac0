import Logging
import QueueKit
import QueueKitRabbitMQ
import QueueKitRedis
import QueueKitSQLite
import ScaleRedis
import ServiceLifecycle

/// Where the instances and the worker meet: the queue of jobs, and what it stands on.
struct Jobs: Sendable {
    let queue: JobQueue
    /// What the queue stands on, to be ended after all that uses it.
    var services: [any Service] = []

    /// - Parameters:
    ///   - results: where states and results of jobs on RabbitMQ are kept; the embedded brokers keep their own.
    ///   - clients: of the process' Redis servers.
    /// - Throws: `StartError` that names the flag, and the file or the server.
    static func open(
        _ choice: QueueChoice, results: StoreChoice = .memory, clients: inout RedisClients, patience: Patience = Patience(), logger: Logger
    ) async throws -> Jobs {
        switch choice {
        case .memory, .sqlite:
            return Jobs(queue: try Self.embedded(choice, logger: logger))
        case .rabbitMQ(let url):
            guard let redis = try await clients.client(for: results, flag: "--results") else {
                throw StartError("--results: jobs on RabbitMQ need a Redis for their results; name it as redis://HOST:PORT/DATABASE")
            }
            let broker = try RabbitMQ.open(url, patience: patience, logger: logger)
            do {
                _ = try await broker.counts(of: JobQueue.Configuration().defaultQueue)
            } catch let error as QueueError where error.code == .accessRefused {
                throw StartError("--queue: \(error.message)")
            } catch {
                clients.willWait("--queue: \((error as? QueueError)?.message ?? "RabbitMQ cannot be asked"); waiting for it")
            }
            return Jobs(
                queue: JobQueue(broker: broker, results: RedisResultStore(redis), logger: logger),
                services: [AtShutdown { await broker.shutdown() }])
        }
    }

    /// A queue in this process or in a file.
    static func embedded(_ choice: QueueChoice, logger: Logger) throws -> JobQueue {
        switch choice {
        case .memory:
            return JobQueue(logger: logger)
        case .sqlite(let path):
            do {
                return JobQueue(sqlite: try SQLiteQueueDatabase(path: path), logger: logger)
            } catch {
                throw StartError("--queue sqlite:\(path): cannot be opened or written; name a file in a writable directory")
            }
        case .rabbitMQ:
            throw StartError("--queue: a server is not embedded; name a file, as sqlite:FILE")
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
        var configuration = Self.workerConfiguration
        // Seen by Flower, steered by `celery control`.
        if queue.broker is any MonitoredBroker { configuration.monitoring = WorkerMonitoring() }
        return Worker(queue, concurrency: concurrency, configuration: configuration) {
            $0.handle(SendEmailNotification.self) { job, context in
                try await mailer.notify(userID: job.userID, attempt: context.retries)
                return "sent to user \(job.userID)"
            }
        }
    }
}
