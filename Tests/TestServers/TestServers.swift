import Foundation

/// Where the private servers of `Scripts/services` listen. A test that needs one is disabled, with a reason, where it is nil.
public enum TestServers {
    /// A plain Redis: `redis://127.0.0.1:PORT/0`.
    public static var redis: String? { Self.read("SCALEKIT_TEST_REDIS") }

    /// A Redis with TLS and an ACL user: `rediss://user:password@127.0.0.1:PORT/0`.
    public static var redisTLS: String? { Self.read("SCALEKIT_TEST_REDIS_TLS") }

    /// The path of the certificate authority (PEM) that signed the TLS server's certificate.
    public static var redisCertificateAuthority: String? { Self.read("SCALEKIT_TEST_REDIS_CA") }

    /// Three Memcached servers: `memcached://127.0.0.1:A,127.0.0.1:B,127.0.0.1:C`.
    public static var memcached: String? { Self.read("SCALEKIT_TEST_MEMCACHED") }

    /// RabbitMQ: `amqp://guest:guest@127.0.0.1:PORT/`.
    public static var amqp: String? { Self.read("SCALEKIT_TEST_AMQP") }

    /// The same over TLS: `amqps://guest:guest@localhost:PORT/`. By name, since rabbitmq-c looks for no address in a certificate.
    public static var amqps: String? { Self.read("SCALEKIT_TEST_AMQPS") }

    /// The path of the certificate authority (PEM) that signed RabbitMQ's certificate.
    public static var amqpCertificateAuthority: String? { Self.read("SCALEKIT_TEST_AMQP_CA") }

    /// RabbitMQ's management API: `http://guest:guest@127.0.0.1:PORT/api`.
    public static var rabbitMQAPI: String? { Self.read("SCALEKIT_TEST_RABBITMQ_API") }

    /// The path of a Python interpreter with real Celery and Flower.
    public static var python: String? { Self.read("SCALEKIT_TEST_PYTHON") }

    private static func read(_ name: String) -> String? {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { return nil }
        return value
    }
}
