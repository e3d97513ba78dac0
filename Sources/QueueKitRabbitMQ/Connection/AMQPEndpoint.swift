internal import QueueKit
public import ScaleCore

extension ServiceURL.Scheme {
    /// AMQP 0-9-1: `amqp://user:password@host1,host2:5673/vhost`.
    public static let amqp = ServiceURL.Scheme("amqp", defaultPort: 5672, defaultHost: "localhost", path: .optional("virtual host"))
    /// The same over TLS. The certificate must have the host's name: rabbitmq-c 0.11 compares no addresses.
    public static let amqps = ServiceURL.Scheme(
        "amqps", defaultPort: 5671, defaultHost: "localhost", usesTLS: true, path: .optional("virtual host"))
    /// As Celery spells it when py-amqp is meant.
    public static let pyamqp = ServiceURL.Scheme("pyamqp", defaultPort: 5672, defaultHost: "localhost", path: .optional("virtual host"))

    static let rabbitMQ: [ServiceURL.Scheme] = [.amqp, .amqps, .pyamqp]
}

/// Where RabbitMQ is, and how to sign in, by kombu's rules: without a virtual host, or with `//`, it is `/`; user and password are `guest`
/// when absent.
struct AMQPEndpoint: Sendable {
    var hosts: [ServiceURL.Host]
    var virtualHost: String
    var user: String
    var password: Secret
    var usesTLS: Bool

    init(_ url: ServiceURL) {
        self.hosts = url.hosts
        let path = url.path.dropFirst()
        self.virtualHost = path.isEmpty ? "/" : String(path)
        self.user = url.user ?? "guest"
        self.password = url.password ?? Secret("guest")
        self.usesTLS = url.scheme.usesTLS
    }
}
