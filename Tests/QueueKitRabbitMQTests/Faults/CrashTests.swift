import Foundation
import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleTesting
import TestServers
import Testing

/// Nodes that end, die and freeze, and workers that die.
@Suite(.serialized, .enabled(if: PrivateRabbitMQ.isInstalled, "needs rabbitmq-server"), .timeLimit(.minutes(15)))
struct CrashTests {
    private static func with(
        _ configure: (inout RabbitMQBroker.Configuration) -> Void,
        _ body: (RabbitMQBroker, PrivateRabbitMQ, RecordedFacts<String>) async throws -> Void
    ) async throws {
        var configuration = RabbitMQBroker.Configuration.patient
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
            let (begun, done) = (RecordedFacts<Int>(), RecordedFacts<Int>())
            let loss = Flag()
            // However fast they are, they go on until the node is lost, and then each has one more under way.
            let publishing = PendingCall("publish") {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for first in 1...50 {
                        group.addTask {
                            var number = first
                            repeat {
                                begun.record(number)
                                try await broker.publish(Numbered.message(number), to: Numbered.queue, notBefore: nil)
                                done.record(number)
                                number += 50
                            } while !loss.isRaised
                        }
                    }
                    try await group.waitForAll()
                }
            }
            _ = try await done.waitForCount(101, within: .seconds(90))
            if how == "killed" { try await node.kill() } else { try await node.stop() }
            try await eventually(within: .seconds(90), "every publisher waits, and the broker cannot connect") {
                begun.count - done.count == 50 && lines.all.contains { $0.contains("cannot connect to publish") }
            }
            loss.raise()
            try await node.start()
            try await publishing.value(within: .seconds(300))
            try await Numbered.receiveAll(Set(begun.all).union([0]), from: broker)
        }
    }

    @Test func `a node that is frozen is noticed by its silence, and served again when it is back`() async throws {
        try await Self.with { configuration in
            // The server is silent for twice as long before it is taken for dead; a busy machine is slow, and not that slow.
            configuration.heartbeat = 5
            configuration.answerTimeout = .seconds(15)
        } _: { broker, node, lines in
            try await Numbered.publish(0..<1, with: broker)
            try await Numbered.receiveAll([0], from: broker)
            let waiting = PendingCall("receive") { try await broker.receive(Numbered.request()) }
            node.freeze()
            let publishing = PendingCall("publish") { try await Numbered.publish(1..<3, with: broker) }
            // Sockets are open and take what is written: nothing but missing heartbeats tells.
            try await eventually(within: .seconds(120), "both connections are given up") {
                lines.all.contains { $0.contains("the consuming connection is lost") }
                    && lines.all.contains { $0.contains("cannot connect to publish") }
            }
            node.thaw()
            try await publishing.value(within: .seconds(120))
            let first = try #require(try await waiting.value(within: .seconds(120)).first)
            // A busy machine may lose the connection once more.
            try await Numbered.acknowledge(first, at: broker)
            try await Numbered.receiveAll(Set(1..<3).subtracting([Numbered.number(of: first)]), from: broker)
        }
    }
}

/// A worker's process that is killed.
@Suite(.enabled(if: TestServers.amqp != nil, "needs RabbitMQ: make services-up"), .timeLimit(.minutes(15)))
struct KilledWorkerTests {
    private struct Mark: Job {
        static let name = "test.mark"
        var number: Int
    }

    /// - Parameter limit: how many jobs it does; on the next ones it works for ever.
    private static func start(_ url: String, _ file: URL, limit: Int? = nil) throws -> ChildProcess {
        let helper = try #require(ChildProcess.built("RabbitMQWorkerProcess"))
        return try ChildProcess(helper, [url, file.path] + (limit.map { ["\($0)"] } ?? []))
    }

    private static func numbers(_ file: URL) -> [Int] {
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { Int($0) }
    }

    @Test func `a worker that is killed in the middle of 1000 jobs loses none`() async throws {
        try await RabbitMQVirtualHost.with { host in
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: file) }
            let broker = try RabbitMQBroker(host.url, configuration: .patient)
            let queue = JobQueue(broker: broker, results: MemoryResultStore())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 { group.addTask { try await queue.enqueue(Mark(number: number)) } }
                try await group.waitForAll()
            }
            let victim = try Self.start(host.url, file, limit: 100)
            try await eventually(within: .seconds(120), "it is in the middle") { Self.numbers(file).count >= 100 }
            try await victim.end(SIGKILL)
            #expect(Self.numbers(file).count < 200)
            let heir = try Self.start(host.url, file)
            try await eventually(within: .seconds(300), "all jobs are done") { Set(Self.numbers(file)).count == 1000 }
            try await heir.end(SIGKILL)
            // Only what the victim held, or what came before it said that it was done, ran twice.
            #expect(Self.numbers(file).count < 1100)
            await broker.shutdown()
        }
    }
}
