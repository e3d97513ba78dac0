import ArgumentParser
import Logging
import QueueKit
import QueueKitRabbitMQ
import QueueKitRedis
import ScaleRedis
import ServiceLifecycle
import UnixSignals

@main
struct CeleryInteropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "celery-interop", abstract: "A Swift worker and a Swift client in a Celery application.",
        subcommands: [WorkCommand.self, CallCommand.self])
}

/// Where Celery's `broker` and `backend` are.
struct Addresses: ParsableArguments {
    @Option(help: "RabbitMQ.") var broker = "amqp://guest:guest@127.0.0.1:5672//"
    @Option(help: "Redis.") var backend = "redis://127.0.0.1:6379/0"

    func queue(_ logger: Logger) throws -> (queue: JobQueue, broker: RabbitMQBroker, redis: RedisClient) {
        let broker = try RabbitMQBroker(self.broker, logger: logger)
        let redis = try RedisClient(self.backend)
        return (JobQueue(broker: broker, results: RedisResultStore(redis), logger: logger), broker, redis)
    }
}

struct WorkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work", abstract: "Run myapp.tasks.send_email_notification for Python, until the process is told to end.")

    @OptionGroup var addresses: Addresses

    func run() async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let logger = Logger(label: "celery-interop")
        let (queue, broker, redis) = try self.addresses.queue(logger)
        var configuration = Worker.Configuration()
        configuration.queues = ["swift"]
        let worker = Worker(queue, concurrency: 8, configuration: configuration) {
            $0.handle(SendEmailNotification.self) { job, context in
                // A Python task calls another task in the same way.
                let text = try await queue.enqueue(
                    RenderTemplate(template: job.template, userID: job.userID), options: .init(parent: context)
                ).value(timeout: .seconds(10))
                return "sent: \(text)"
            }
        }
        try await ServiceGroup(
            configuration: .init(services: [.init(service: worker)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        ).run()
        await broker.shutdown()
        await redis.shutdown()
    }
}

struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Call myapp.tasks.render_template of a Python worker, and print what it returns.")

    @OptionGroup var addresses: Addresses
    @Argument(help: "What to render.") var template = "hello"
    @Argument(help: "For whom.") var userID = 7

    func run() async throws {
        let (queue, broker, redis) = try self.addresses.queue(Logger(label: "celery-interop"))
        let receipt = try await queue.enqueue(RenderTemplate(template: self.template, userID: self.userID))
        print(try await receipt.value(timeout: .seconds(30)))
        await broker.shutdown()
        await redis.shutdown()
    }
}
