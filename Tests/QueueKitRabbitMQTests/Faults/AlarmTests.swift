import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleTesting
import TestServers
import Testing

/// A node that is low on memory, by its own alarm.
@Suite(.serialized, .enabled(if: PrivateRabbitMQ.isInstalled, "needs rabbitmq-server"), .timeLimit(.minutes(15)))
struct AlarmTests {
    private static func with(
        _ configure: (inout RabbitMQBroker.Configuration) -> Void = { _ in },
        _ body: (RabbitMQBroker, PrivateRabbitMQ) async throws -> Void
    ) async throws {
        var configuration = RabbitMQBroker.Configuration.patient
        configure(&configuration)
        let node = try await PrivateRabbitMQ.running()
        let broker = try RabbitMQBroker(node.url, configuration: configuration)
        do {
            try await body(broker, node)
        } catch {
            await broker.shutdown()
            throw error
        }
        await broker.shutdown()
        try await node.stop()
    }

    @Test func `under an alarm publishers wait, consumers go on, and all is sent when it is over`() async throws {
        try await Self.with { broker, node in
            try await Numbered.publish(0..<20, with: broker)
            try await node.raiseAlarm()
            // The first one is what the server answers with "blocked"; the others are not even sent.
            let suspended = PendingCall("publish") { try await Numbered.publish(20..<40, with: broker) }
            var seen: Set<Int> = []
            while seen.count < 20 {
                let receiving = PendingCall("receive") { try await broker.receive(Numbered.request(limit: 5)) }
                for delivery in try await receiving.value(within: .seconds(90)) {
                    seen.insert(Numbered.number(of: delivery))
                    try await broker.acknowledge(delivery.lease)
                }
            }
            // All of these were published before the alarm: the connection that consumes is not the one that is blocked.
            #expect(seen == Set(0..<20))
            try await eventually(within: .seconds(90), "all acknowledgements have arrived") {
                try await broker.counts(of: Numbered.queue) == QueueCounts()
            }
            try await node.clearAlarm()
            try await suspended.value(within: .seconds(300))
            try await Numbered.receiveAll(Set(20..<40), from: broker)
        }
    }

    @Test func `who is suspended ends at the deadline with the server's reason, or when cancelled, and shutdown does not wait`()
        async throws
    {
        try await Self.with { configuration in
            // Long enough for the publication before the alarm, and for the server's word of it.
            configuration.publishTimeout = .seconds(20)
        } _: { broker, node in
            try await Numbered.publish(0..<1, with: broker)
            try await node.raiseAlarm()
            // More than sockets hold, so that the connection's thread hangs in its call.
            let large = [UInt8](repeating: 32, count: 8 * 1024 * 1024)
            let first = PendingCall("publish") {
                try await broker.publish(Numbered.message(1, body: large), to: Numbered.queue, notBefore: nil)
            }
            let error = try await expectThrows(QueueError.self) { try await first.value(within: .seconds(120)) }
            #expect(error.code == .unavailable)
            #expect(error.queue == Numbered.queue)

            let cancelled = PendingCall("publish") { try await broker.publish(Numbered.message(2), to: Numbered.queue, notBefore: nil) }
            cancelled.cancel()
            _ = try await expectThrows(CancellationError.self) { try await cancelled.value(within: .seconds(120)) }

            let shutdown = PendingCall("shutdown") { await broker.shutdown() }
            try await shutdown.value(within: .seconds(60))
        }
    }

    @Test func `the error of a suspended publication names the alarm`() async throws {
        try await Self.with { configuration in
            // Long enough for the publication before the alarm, and for the server's word of it.
            configuration.publishTimeout = .seconds(20)
        } _: { broker, node in
            try await Numbered.publish(0..<1, with: broker)
            try await node.raiseAlarm()
            let error = try await expectThrows(QueueError.self) { try await Numbered.publish(1..<3, with: broker) }
            #expect(error.code == .unavailable)
            #expect(error.message.contains("low on memory"))
        }
    }
}
