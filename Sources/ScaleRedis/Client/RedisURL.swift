public import ScaleCore

extension ServiceURL.Scheme {
    /// `redis://[[user]:password@]host[:port][/database]`
    public static let redis = ServiceURL.Scheme("redis", defaultPort: 6379, hosts: .one, path: .optional("database number"))
    /// The same over TLS.
    public static let rediss = ServiceURL.Scheme(
        "rediss", defaultPort: 6379, usesTLS: true, hosts: .one, path: .optional("database number"))
}

/// What a Redis URL says: one server, credentials, database.
struct RedisURL: Sendable {
    let host: String
    let port: Int
    let usesTLS: Bool
    let user: String?
    let password: Secret?
    let database: Int
    /// `host:port`, as errors and log lines show it.
    let address: String

    init(_ text: String) throws(RedisError) {
        let url: ServiceURL
        do {
            url = try ServiceURL(text, schemes: [.redis, .rediss])
        } catch {
            throw RedisError(code: .invalidConfiguration, message: error.message)
        }
        guard let host = url.hosts.first else {
            throw RedisError(code: .invalidConfiguration, message: "the URL names no host")
        }
        self.host = host.name
        self.port = host.port ?? 6379
        self.usesTLS = url.scheme.usesTLS
        self.user = url.user
        self.password = url.password
        self.database = try Self.database(url.path)
        self.address = self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }

    private static func database(_ path: String) throws(RedisError) -> Int {
        let digits = path.drop { $0 == "/" }
        if digits.isEmpty, path.count <= 1 { return 0 }
        guard path.count == digits.count + 1, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int32(digits) else {
            throw RedisError(code: .invalidConfiguration, message: "the URL's path is not a database number such as /0")
        }
        return Int(number)
    }
}
