import Foundation
import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleTesting
import TestServers
import Testing

/// Nodes that end, die and freeze, and workers that die.
@Suite(.serialized, .enabled(if: PrivateRabbitMQ.isInstalled, "needs rabbitmq-server"))
struct CrashTests {
    private static func with(
        _ configure: (inout RabbitMQBroker.Configuration) -> Void,
        _ body: (RabbitMQBroker, PrivateRabbitMQ, RecordedFacts<String>) async throws -> Void
    ) async throws {
        var configuration = RabbitMQBroker.Configuration()
        configuration.publishTimeout = .seconds(120)
        configuration.publishWindow = 20
        configure(&configuration)
        let node = try await PrivateRabbitMQ.running()
        let (logger, lines) = RecordingLog.make()
        let broker = try RabbitMQBroker(node.url, configuration: configuration, logger: logger)
        do {
            try await body(broker, node, lines)
        } catch {
            await broker.shutdown()
            throw error
        }
        await broker.shutdown()
        try await node.kill()
    }

    @Test(arguments: ["restarted", "killed"])
    func `nothing that is published while the node is lost is lost`(how: String) async throws {
        try await Self.with { _ in
        } _: { broker, node, lines in
            try await Numbered.publish(0..<1, with: broker)
            let done = RecordedFacts<Int>()
            let publishing = PendingCall("publish") {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for first in 0..<50 {
                        group.addTask {
                            for number in stride(from: 1 + first, to: 1001, by: 50) {
                                try await broker.publish(Numbered.message(number), to: Numbered.queue, notBefore: nil)
                                done.record(number)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            try await eventually("some are published") { done.count > 100 }
            if how == "killed" { try await node.kill() } else { try await node.stop() }
            #expect(done.count < 1000)
            try await node.start()
            try await publishing.value(within: .seconds(120))
            #expect(lines.all.contains { $0.contains("cannot connect to publish") })
            try await Numbered.receiveAll(Set(0...1000), from: broker)
        }
    }

    @Test func `a node that is frozen is noticed by its silence, and served again when it is back`() async throws {
        try await Self.with { configuration in
            configuration.heartbeat = 1
            configuration.connectTimeout = .seconds(1)
            configuration.answerTimeout = .seconds(1)
        } _: { broker, node, lines in
            try await Numbered.publish(0..<1, with: broker)
            try await Numbered.receiveAll([0], from: broker)
            let waiting = PendingCall("receive") { try await broker.receive(Numbered.request()) }
            node.freeze()
            let publishing = PendingCall("publish") { try await Numbered.publish(1..<3, with: broker) }
            // Sockets are open and take what is written: nothing but missing heartbeats tells.
            try await eventually("both connections are given up") {
                lines.all.contains { $0.contains("the consuming connection is lost") }
                    && lines.all.contains { $0.contains("cannot connect to publish") }
            }
            node.thaw()
            try await publishing.value(within: .seconds(60))
            let first = try #require(try await waiting.value(within: .seconds(60)).first)
            // With heartbeats of a second a busy machine may lose the connection once more.
            try await Numbered.acknowledge(first, at: broker)
            try await Numbered.receiveAll(Set(1..<3).subtracting([Numbered.number(of: first)]), from: broker)
        }
    }
}

/// A worker's process that is killed.
@Suite(.enabled(if: TestServers.amqp != nil, "needs RabbitMQ: make services-up"))
struct KilledWorkerTests {
    private struct Mark: Job {
        static let name = "test.mark"
        var number: Int
    }

    private static func start(_ url: String, _ file: URL) throws -> ChildProcess {
        let helper = try #require(ChildProcess.built("RabbitMQWorkerProcess"))
        return try ChildProcess(helper, [url, file.path])
    }

    private static func numbers(_ file: URL) -> [Int] {
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { Int($0) }
    }

    @Test func `a worker that is killed in the middle of 1000 jobs loses none`() async throws {
        try await RabbitMQVirtualHost.with { host in
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: file) }
            let broker = try RabbitMQBroker(host.url)
            let queue = JobQueue(broker: broker, results: MemoryResultStore())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 { group.addTask { try await queue.enqueue(Mark(number: number)) } }
                try await group.waitForAll()
            }
            let victim = try Self.start(host.url, file)
            try await eventually("it is in the middle") { Self.numbers(file).count >= 100 }
            try await victim.end(SIGKILL)
            #expect(Self.numbers(file).count < 1000)
            let heir = try Self.start(host.url, file)
            try await eventually(within: .seconds(90), "all jobs are done") { Set(Self.numbers(file)).count == 1000 }
            try await heir.end(SIGKILL)
            // Only what the victim held, or what came before it said that it was done, ran twice.
            #expect(Self.numbers(file).count < 1100)
            await broker.shutdown()
        }
    }
}
