import QueueKit
import QueueKitRabbitMQ
import QueueKitTesting
import ScaleCore
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: TestServers.amqp != nil, "needs RabbitMQ: make services-up"))
struct RabbitMQConformanceTests {
    @Test(arguments: BrokerConformance.cases, [RabbitMQBroker.QueueKind.classic, .quorum])
    func `the RabbitMQ broker conforms`(_ rule: BrokerConformance.Case, kind: RabbitMQBroker.QueueKind) async throws {
        try await RabbitMQVirtualHost.with { host in
            var configuration = RabbitMQBroker.Configuration()
            configuration.queueKind = kind
            let broker = try RabbitMQBroker(host.url, configuration: configuration)
            // The server's time cannot be moved. Some more than asked for passes, since delays are kept in whole seconds.
            let subject = BrokerConformance.Subject(broker, utcNow: { TimeSource.system.utcNow() }, lease: .seconds(3)) {
                try await TimeSource.system.sleep(for: $0 + .milliseconds(400))
            }
            do {
                try await rule.run(on: subject)
            } catch {
                await broker.shutdown()
                throw error
            }
            await broker.shutdown()
        }
    }
}
