import QueueKit
import QueueKitRabbitMQ
import QueueKitTesting
import ScaleCore
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: TestServers.amqp != nil, "needs RabbitMQ: make services-up"), .timeLimit(.minutes(15)))
struct RabbitMQConformanceTests {
    @Test(arguments: BrokerConformance.cases, [RabbitMQBroker.QueueKind.classic, .quorum])
    func `the RabbitMQ broker conforms`(_ rule: BrokerConformance.Case, kind: RabbitMQBroker.QueueKind) async throws {
        try await RabbitMQVirtualHost.with { host in
            var configuration = RabbitMQBroker.Configuration.patient
            configuration.queueKind = kind
            configuration.idlePatience = .seconds(3600)
            // Leases are the broker's own, and end in a time that stands still however slow the machine is. Delays are kept by the server,
            // whose time cannot be moved: where there is one, which is when somebody asks what time it is, that passes as well.
            let time = ManualTime()
            let hasDelays = Locked(false)
            let broker = try RabbitMQBroker(host.url, configuration: configuration, time: time.source)
            let subject = BrokerConformance.Subject(
                broker,
                utcNow: {
                    hasDelays.withLock { $0 = true }
                    return time.utcNow()
                }, lease: .seconds(20), patience: .seconds(90)
            ) {
                await time.advance(by: $0)
                if hasDelays.withLock({ $0 }) { try await TimeSource.system.sleep(for: $0) }
            }
            do {
                try await rule.run(on: subject, within: .seconds(300))
            } catch {
                await broker.shutdown()
                throw error
            }
            await broker.shutdown()
        }
    }
}
