import Logging
import QueueKit
import ScaleCore
import ScaleTesting
import TestServers
import Testing

@testable import QueueKitRabbitMQ

private struct Twice: Job {
    static let name = "proj.twice"
    typealias Output = Int
    var x: Int
}

/// Stays until it is cancelled.
private struct Stay: Job {
    static let name = "proj.stay"
    static let defaults = JobDefaults(retry: .never)
}

/// A worker that is watched over a real RabbitMQ.
@Suite(.enabled(if: TestServers.amqp != nil, "needs RabbitMQ: make services-up"), .timeLimit(.minutes(15)))
struct MonitoringTests {
    private struct World {
        let host: RabbitMQVirtualHost
        let broker: RabbitMQBroker
        let queue: JobQueue
        let running: PendingCall<Void>
    }

    private static let mailbox = "w1@host.celery.pidbox"
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func worker(_ queue: JobQueue) -> Worker {
        var configuration = Worker.Configuration()
        configuration.name = "w1@host"
        configuration.monitoring = .init()
        return Worker(queue, concurrency: 4, configuration: configuration) {
            $0.handle(Twice.self) { job, _ in 2 * job.x }
            $0.handle(Stay.self) { _, _ in try await Gate("for ever").pass(within: .seconds(3600)) }
        }
    }

    private static func with(_ body: (World, Watcher) async throws -> Void) async throws {
        try await RabbitMQVirtualHost.with { host in
            let broker = try RabbitMQBroker(host.url, configuration: .patient, logger: Self.silent)
            let queue = JobQueue(broker: broker, results: MemoryResultStore(), logger: Self.silent)
            let worker = Self.worker(queue)
            do {
                try await Watcher.with(host) { watcher in
                    let running = PendingCall("worker") { try await worker.run() }
                    do {
                        try await body(World(host: host, broker: broker, queue: queue, running: running), watcher)
                    } catch {
                        running.cancel()
                        throw error
                    }
                    running.cancel()
                    try await running.value(within: .seconds(90))
                }
            } catch {
                await broker.shutdown()
                throw error
            }
            await broker.shutdown()
        }
    }

    @Test func `the mailbox is declared as Celery declares it`() async throws {
        try await Self.with { world, watcher in
            _ = try await watcher.ask("ping")
            let queue = try await eventually("RabbitMQ shows the mailbox") { try? await world.host.queue(Self.mailbox) }
            #expect(queue["durable"] as? Bool == false)
            #expect(queue["auto_delete"] as? Bool == true)
            #expect(queue["exclusive"] as? Bool == true)
            let arguments = try #require(queue["arguments"] as? [String: any Sendable])
            #expect(arguments["x-expires"] as? Int == 10_000)
            #expect(arguments["x-message-ttl"] as? Int == 300_000)
            #expect(arguments.count == 2)
        }
    }

    @Test func `watchers see the worker, a job's way with its result, and the worker's end`() async throws {
        try await Self.with { world, watcher in
            let online = try await watcher.waitForEvent("worker-online")
            #expect(online["hostname"] == "w1@host")
            let receipt = try await world.queue.enqueue(Twice(x: 21))
            let succeeded = try await watcher.waitForEvent("task-succeeded", of: receipt.id)
            #expect(succeeded["result"] == "42")
            let types = watcher.events.filter { $0["uuid"]?.stringValue == receipt.id.rawValue }.compactMap { $0["type"]?.stringValue }
            #expect(types == ["task-received", "task-started", "task-succeeded"])
            let clocks = watcher.events.compactMap { $0["clock"]?.integerValue }
            #expect(clocks.count == Set(clocks).count)
            _ = try await watcher.waitForEvent("worker-heartbeat")
            world.running.cancel()
            try await world.running.value(within: .seconds(90))
            _ = try await watcher.waitForEvent("worker-offline")
        }
    }

    @Test func `questions are answered and commands obeyed`() async throws {
        try await Self.with { world, watcher in
            #expect(try await watcher.ask("ping") == ["w1@host": ["ok": "pong"]])
            let receipt = try await world.queue.enqueue(Stay())
            _ = try await watcher.waitForEvent("task-started", of: receipt.id)
            let active = try await watcher.ask("active")["w1@host"]?.arrayValue
            #expect(active?.first?.objectValue?["id"]?.stringValue == receipt.id.rawValue)
            let stats = try await watcher.ask("stats")["w1@host"]?.objectValue
            #expect(stats?["broker"]?.objectValue?["virtual_host"]?.stringValue == world.host.name)
            #expect(stats.map { JSONValue.object($0).jsonText().contains("guest:") } == false)
            #expect(
                try await watcher.ask("revoke", "{\"task_id\":\"\(receipt.id)\",\"terminate\":true}")
                    == ["w1@host": ["ok": .string("terminate: \(receipt.id)")]])
            _ = try await watcher.waitForEvent("task-revoked", of: receipt.id)
            try await eventually("its state is recorded") { try await receipt.state() == .revoked }
            try await watcher.publish(#"{"method":"shutdown","arguments":{},"destination":["w1@host"]}"#)
            try await world.running.value(within: .seconds(90))
        }
    }

    @Test func `requests of every wrong kind neither end the worker nor its connection`() async throws {
        try await Self.with { world, watcher in
            _ = try await watcher.ask("ping")
            // It comes through another queue than the answer.
            _ = try await watcher.waitForEvent("worker-online")
            for body in [
                "", "null", "[]", "{", String(repeating: "[", count: 100_000), #"{"method":7}"#, #"{"method":"ping","destination":{}}"#,
                #"{"method":"ping","ticket":[],"reply_to":{"exchange":"there is none","routing_key":"x"}}"#,
                #"{"method":"ping","ticket":null,"reply_to":{"exchange":"","routing_key":"nobody"}}"#,
                #"{"method":"ping","reply_to":{"exchange":"reply.celery.pidbox","routing_key":""# + String(repeating: "k", count: 300)
                    + #""}}"#,
                #"{"method":"revoke","arguments":{"task_id":["# + Array(repeating: "\"x\"", count: 100_000).joined(separator: ",") + "]}}",
                #"{"method":"ping","pattern":"((a+)+)+$","matcher":"pcre"}"#,
            ] {
                try await watcher.publish(body, headers: ["clock": "late", "expires": [1]])
            }
            #expect(try await watcher.ask("ping") == ["w1@host": ["ok": "pong"]])
            #expect(watcher.events.count { $0["type"] == "worker-online" } == 1)
            #expect(try await world.queue.enqueue(Twice(x: 1)).value(timeout: .seconds(90)) == 2)
        }
    }

    @Test func `after its connection was closed a worker is seen and reached again`() async throws {
        try await Self.with { world, watcher in
            _ = try await watcher.ask("ping")
            // The management API lists a connection some seconds after it was made.
            for purpose in ["monitor", "consume"] {
                try await eventually(within: .seconds(90), "the connection to \(purpose) is closed") {
                    try await !world.host.closeConnections(named: "ScaleKit \(purpose)").isEmpty
                }
            }
            try await Watcher.with(world.host) { second in
                let pong = try await second.ask("ping")
                #expect(pong == ["w1@host": ["ok": "pong"]])
                let value = try await world.queue.enqueue(Twice(x: 1)).value(timeout: .seconds(90))
                #expect(value == 2)
            }
        }
    }

    @Test func `a name that is in use is waited for, while jobs run`() async throws {
        try await Self.with { world, watcher in
            _ = try await watcher.ask("ping")
            let address = MonitorAddress(node: "w1@host")
            let error = try await expectThrows(QueueError.self) {
                _ = try await world.broker.monitorTransport.open(address) { _ in }
            }
            #expect(error.message.contains("405"))
            let second = PendingCall("second worker") { [worker = Self.worker(world.queue)] in try await worker.run() }
            #expect(try await world.queue.enqueue(Twice(x: 4)).value(timeout: .seconds(90)) == 8)
            let count = watcher.events.count
            world.running.cancel()
            try await world.running.value(within: .seconds(90))
            _ = try await watcher.waitForEvent("worker-online", after: count)
            #expect(try await watcher.ask("ping") == ["w1@host": ["ok": "pong"]])
            second.cancel()
            try await second.value(within: .seconds(90))
        }
    }

    @Test func `a server that is not there costs the worker nothing but its watchers`() async throws {
        let transport = try RabbitMQBroker("amqp://guest@127.0.0.1:1//", logger: Self.silent)
        let queue = JobQueue(logger: Self.silent)
        var configuration = Worker.Configuration()
        var monitoring = WorkerMonitoring()
        monitoring.transport = transport.monitorTransport
        configuration.monitoring = monitoring
        let worker = Worker(queue, configuration: configuration) { $0.handle(Twice.self) { job, _ in 2 * job.x } }
        let running = PendingCall("worker") { try await worker.run() }
        #expect(try await queue.enqueue(Twice(x: 4)).value(timeout: .seconds(90)) == 8)
        running.cancel()
        try await running.value(within: .seconds(90))
        await transport.shutdown()
    }
}
