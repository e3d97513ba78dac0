import Foundation
import Logging
import QueueKit
import QueueKitRabbitMQ
import QueueKitRedis
import ScaleCore
import ScaleRedis
import ScaleTesting
import TestServers

/// RabbitMQ and Redis with a Swift queue on them, for one test: a virtual host of its own, and job ids that nobody else has.
struct InteropGround: Sendable {
    let host: RabbitMQVirtualHost
    let broker: any Broker
    let redis: RedisClient
    let queue: JobQueue

    static func with(_ body: (InteropGround) async throws -> Void) async throws {
        try await RabbitMQVirtualHost.with { host in
            let broker = try RabbitMQBroker(host.url)
            let redis = try RedisClient(try require(TestServers.redis, "a Redis"), configuration: .patient)
            var configuration = JobQueue.Configuration()
            configuration.limits.maximumBytes = 1024 * 1024
            let queue = JobQueue(
                broker: broker, results: RedisResultStore(redis), configuration: configuration,
                logger: Logger(label: "interop", factory: { _ in SwiftLogNoOpLogHandler() }))
            let ground = InteropGround(host: host, broker: broker, redis: redis, queue: queue)
            do {
                try await body(ground)
            } catch {
                await broker.shutdown()
                await redis.shutdown()
                throw error
            }
            await broker.shutdown()
            await redis.shutdown()
        }
    }

    /// Runs a Swift worker and a Python client beside each other.
    static func withWorker(
        _ register: @escaping @Sendable (inout JobHandlers) -> Void, settings: JSONObject = [:],
        _ body: (InteropGround, CeleryClient) async throws -> Void
    ) async throws {
        try await self.with { ground in
            let worker = Worker(ground.queue, concurrency: 4, register)
            let running = PendingCall("the worker's run") { try await worker.run() }
            let client = try CeleryClient(ground.host, settings: settings)
            do {
                try await body(ground, client)
            } catch {
                running.cancel()
                try? await client.end()
                throw error
            }
            running.cancel()
            try await client.end()
            // Alive to the end: a worker that a message has thrown out would have thrown here.
            try await running.value()
        }
    }

    /// Runs a Python worker on the queue `python`.
    static func withPythonWorker(settings: JSONObject = [:], _ body: (InteropGround) async throws -> Void) async throws {
        try await self.withPythonWorker(settings: settings, before: { _ in }) { ground, _ in try await body(ground) }
    }

    /// Runs a Python worker on the queue `python`, from the moment at which `before` is done.
    static func withPythonWorker<Value>(
        settings: JSONObject = [:], before: (InteropGround) async throws -> Value, _ body: (InteropGround, Value) async throws -> Void
    ) async throws {
        try await self.with { ground in
            let value = try await before(ground)
            let worker = try Python.start("worker", "python", host: ground.host, settings: settings)
            do {
                try await body(ground, value)
            } catch {
                let output = worker.output.suffix(3000)
                try? await worker.end(SIGKILL)
                throw TestFailure("\(error)\nThe Python worker wrote:\n\(output)")
            }
            try await worker.end(SIGKILL)
        }
    }
}
