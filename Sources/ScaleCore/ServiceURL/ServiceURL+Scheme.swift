extension ServiceURL {
    /// What a URL's scheme says about the rest of it. An open set: each backend declares its own.
    ///
    /// ```swift
    /// extension ServiceURL.Scheme {
    ///     public static let redis = ServiceURL.Scheme("redis", defaultPort: 6379, path: .optional("database number"))
    ///     public static let rediss = ServiceURL.Scheme("rediss", defaultPort: 6379, usesTLS: true, path: .optional("database number"))
    /// }
    /// ```
    public struct Scheme: Hashable, Sendable {
        /// How many hosts stand in the URL.
        public enum Hosts: Hashable, Sendable {
            /// None, as in `sqlite:jobs.db` or `memory:`.
            case none
            case one
            case oneOrMore
        }

        /// What the path is for. The text names it in an error: "database number", "virtual host", "file".
        public enum Path: Hashable, Sendable {
            /// The URL has no path, or only `/`.
            case unused
            case optional(String)
            /// More than `/` is needed.
            case required(String)
        }

        /// In lower case; a URL's scheme compares without regard to case.
        public let name: String
        /// The port of hosts that name none.
        public let defaultPort: Int?
        /// The host of a URL that names none, such as `localhost` for `pyamqp://`. With `nil` such a URL is an error.
        public let defaultHost: String?
        /// Whether the connection is encrypted from its first byte.
        public let usesTLS: Bool
        public let hosts: Hosts
        public let path: Path
        /// The names that the query may have; any other is an error, so that a misspelt option is not ignored.
        public let options: Set<String>

        public init(
            _ name: String, defaultPort: Int? = nil, defaultHost: String? = nil, usesTLS: Bool = false, hosts: Hosts = .oneOrMore,
            path: Path = .unused, options: Set<String> = []
        ) {
            self.name = name.lowercased()
            self.defaultPort = defaultPort
            self.defaultHost = defaultHost
            self.usesTLS = usesTLS
            self.hosts = hosts
            self.path = path
            self.options = options
        }
    }
}
