import ScaleCore

/// Schemes as backends declare them, and one for each rule.
extension ServiceURL.Scheme {
    static let redis = Self("redis", defaultPort: 6379, path: .optional("database number"), options: ["timeout", "name"])
    static let rediss = Self("rediss", defaultPort: 6379, usesTLS: true, path: .optional("database number"))
    static let pyamqp = Self("pyamqp", defaultPort: 5672, defaultHost: "localhost", hosts: .one, path: .optional("virtual host"))
    static let memcached = Self("memcached", defaultPort: 11211)
    static let sqlite = Self("sqlite", hosts: .none, path: .required("file"))
    static let tcp = Self("tcp")
}

extension [ServiceURL.Scheme] {
    static let all: Self = [.redis, .rediss, .pyamqp, .memcached, .sqlite, .tcp]
}
