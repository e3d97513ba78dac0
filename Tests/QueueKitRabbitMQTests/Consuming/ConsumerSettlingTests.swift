import Logging
import QueueKit
import ScaleCore
import ScaleTesting
import TestServers
import Testing

@testable import QueueKitRabbitMQ

/// What becomes of a message whose owner's word does not reach the server, or whose place nothing can take.
@Suite(.enabled(if: TestServers.amqp != nil, "needs RabbitMQ: make services-up"))
struct ConsumerSettlingTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func consumer(
        _ time: ManualTime, open: @escaping AMQPOpener, republish: @escaping @Sendable (DeliveryLedger.Item) async throws -> Void
    ) -> Consumer {
        Consumer(
            topology: QueueTopology(kind: .classic, maximumPriority: nil, deadLetterSuffix: ".dead"),
            configuration: .init(prefetch: 1, patience: .seconds(3600)), time: time.source, logger: Self.logger, open: open,
            republish: republish)
    }

    @Test func `an acknowledgement whose connection is gone is refused: somebody else has the message`() async throws {
        let consumer = Self.consumer(ManualTime(), open: { _ in throw AMQPFailure.lost("no server") }, republish: { _ in })
        let item = DeliveryLedger.Item(
            queue: "q", tag: .init(epoch: 1, number: 1), message: Message(headers: [:], properties: .init(), body: []), losses: 0)
        let lease = Lease(queue: "q", message: 1, fencingToken: 1, owner: "me")
        let error = try await expectThrows(QueueError.self) { try await consumer.end(lease, item) }
        #expect(error.code == .staleLease)
    }

    @Test func `a message whose lease ends and that cannot be published again stays in its queue, and is tried again`() async throws {
        try await RabbitMQVirtualHost.with { host in
            let endpoint = AMQPEndpoint(try ServiceURL(host.url, schemes: ServiceURL.Scheme.rabbitMQ))
            let options = AMQPConnection.Options(
                name: "consume", connectTimeout: .seconds(60), rpcTimeout: .seconds(60), heartbeat: 60, certificateAuthorities: "")
            let broker = try RabbitMQBroker(host.url, configuration: .patient)
            let (time, losses) = (ManualTime(), RecordedFacts<Int>())
            let consumer = Self.consumer(time, open: { try await AMQPConnection.open(endpoint, options, onEvents: $0) }) { item in
                losses.record(item.losses)
                guard losses.count > 1 else { throw QueueError(code: .unavailable, message: "no") }
                try await broker.publish(item.message, to: item.queue, notBefore: nil)
            }
            let request = ReceiveRequest(queues: ["q"], limit: 1, lease: .seconds(60), owner: "me")
            try await broker.publish(Message(headers: ["number": 7], properties: .init(), body: []), to: "q", notBefore: nil)
            #expect(try await consumer.receive(request).count == 1)
            await time.advance(by: .seconds(60))
            let again = PendingCall("the message") { try await consumer.receive(request) }
            #expect(try await again.value(within: .seconds(60)).map { $0.message.headers["number"] } == [7])
            #expect(losses.all == [1, 1])
            await consumer.shutdown(within: .seconds(60))
            await broker.shutdown()
        }
    }
}
