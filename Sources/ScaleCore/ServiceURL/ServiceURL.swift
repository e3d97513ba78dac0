/// Where a service is, and how to sign in: `redis://user:password@cache-1:6379,cache-2:6379/1`.
///
/// The syntax is RFC 3986's, with several hosts separated by commas, as the drivers of clustered services write it. User,
/// password, path and query are percent-decoded; a `+` means a space in the query alone. The scheme comes from an open table:
/// a backend declares its own ``Scheme`` values and passes those that it speaks.
///
/// ```swift
/// let url = try ServiceURL("redis://127.0.0.1:6379/1", schemes: [.redis, .rediss])
/// url.hosts[0].port   // 6379
/// url.path            // "/1"
/// ```
///
/// Credentials are never printed: descriptions, interpolation, dumps and errors show `***` for user and password and for
/// the values in the query, since some drivers take a password there.
public struct ServiceURL: Hashable, Sendable {
    /// One machine of the service.
    public struct Host: Hashable, Sendable {
        /// A DNS name or an IPv4 or IPv6 address; an IPv6 address stands without its brackets, with its zone as in `fe80::1%eth0`.
        public var name: String
        /// The port in the URL, else the scheme's default; `nil` when there is neither.
        public var port: Int?

        public init(name: String, port: Int?) {
            self.name = name
            self.port = port
        }
    }

    /// One `name=value` of the query, decoded.
    public struct Option: Hashable, Sendable {
        public var name: String
        /// Empty when the query has the name alone.
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public let scheme: Scheme
    /// The user to sign in as; `nil` when absent or empty.
    public let user: String?
    /// The password; `nil` when absent or empty.
    public let password: Secret?
    /// At least one, unless the scheme has none.
    public let hosts: [Host]
    /// The path, decoded: empty, or beginning with a slash when hosts precede it.
    public let path: String
    /// The path as it was written. An encoded slash (`%2F`) and a slash are still apart here.
    public let rawPath: String
    /// The query in the order in which it was written. No name occurs twice, and the scheme knows all of them.
    public let options: [Option]

    /// Parses `text`.
    ///
    /// - Parameter schemes: the schemes that the caller speaks; any other is an error that lists them.
    /// - Throws: ``ServiceURLError`` with the part that is wrong. It repeats nothing of the text, so it may be logged and shown.
    /// - Complexity: O(length).
    public init(_ text: String, schemes: [Scheme]) throws(ServiceURLError) {
        self = try ServiceURLParser(schemes: schemes).parse(text)
    }

    init(
        scheme: Scheme, user: String?, password: Secret?, hosts: [Host], path: String, rawPath: String, options: [Option]
    ) {
        self.scheme = scheme
        self.user = user
        self.password = password
        self.hosts = hosts
        self.path = path
        self.rawPath = rawPath
        self.options = options
    }

    /// The value of the option of that name, `nil` when the URL does not have it.
    public func option(_ name: String) -> String? {
        self.options.first { $0.name == name }?.value
    }
}

extension ServiceURL: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The URL without its secrets: `redis://***@127.0.0.1:6379/1?timeout=***`.
    public var description: String {
        let credentials = self.user == nil && self.password == nil ? "" : "***@"
        let authority =
            self.hosts.isEmpty && credentials.isEmpty
            ? "" : "//" + credentials + self.hosts.map(\.description).joined(separator: ",")
        let query = self.options.isEmpty ? "" : "?" + self.options.map { "\($0.name)=***" }.joined(separator: "&")
        return "\(self.scheme.name):\(authority)\(self.rawPath)\(query)"
    }

    public var debugDescription: String { self.description }

    public var customMirror: Mirror {
        Mirror(self, children: ["scheme": self.scheme.name, "hosts": self.hosts, "path": self.path], displayStyle: .struct)
    }
}

extension ServiceURL.Host: CustomStringConvertible {
    /// `name:port`, with an IPv6 address in brackets.
    public var description: String {
        let name = self.name.utf8.contains(UInt8(ascii: ":")) ? "[\(self.name)]" : self.name
        return self.port.map { "\(name):\($0)" } ?? name
    }
}

extension ServiceURL.Option: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name alone: some drivers take a password as an option.
    public var description: String { "\(self.name)=***" }

    public var debugDescription: String { self.description }

    public var customMirror: Mirror { Mirror(self, children: ["name": self.name], displayStyle: .struct) }
}
