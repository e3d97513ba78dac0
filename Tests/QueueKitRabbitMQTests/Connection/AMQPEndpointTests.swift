import ScaleCore
import Testing

@testable import QueueKitRabbitMQ

@Suite struct AMQPEndpointTests {
    struct Sample: Sendable {
        var url: String
        var virtualHost = "/"
        var user = "guest"
        var password = "guest"
        var hosts = ["localhost:5672"]
        var usesTLS = false
    }

    @Test(arguments: [
        Sample(url: "pyamqp://guest@localhost//"),
        Sample(url: "amqp://localhost"),
        Sample(url: "amqp://localhost/"),
        Sample(url: "pyamqp://"),
        Sample(url: "amqp://localhost/%2F"),
        Sample(url: "amqp://localhost/%2Fa", virtualHost: "/a"),
        Sample(url: "amqp://u:p%40@h/v", virtualHost: "v", user: "u", password: "p@", hosts: ["h:5672"]),
        Sample(url: "amqp://a:1,b/x", virtualHost: "x", hosts: ["a:1", "b:5672"]),
        Sample(url: "amqps://h", hosts: ["h:5671"], usesTLS: true),
    ])
    func `what is absent is read by kombu's rules`(_ sample: Sample) throws {
        let endpoint = AMQPEndpoint(try ServiceURL(sample.url, schemes: ServiceURL.Scheme.rabbitMQ))
        #expect(endpoint.virtualHost == sample.virtualHost)
        #expect(endpoint.user == sample.user)
        #expect(endpoint.password.reveal() == sample.password)
        #expect(endpoint.hosts.map { "\($0.name):\($0.port ?? 0)" } == sample.hosts)
        #expect(endpoint.usesTLS == sample.usesTLS)
    }

    @Test(arguments: ["redis://h", "amqp:h", "amqp://h/v?heartbeat=1", "amqp://h:x/"]) func `other URLs are refused`(url: String) {
        #expect(throws: ServiceURLError.self) { try RabbitMQBroker(url) }
    }
}
