extension Endpoint {
    /// Where an endpoint listens: a host and port, or a Unix domain socket.
    ///
    /// Compared as written, except that ASCII letters of a host read by ``init(parsing:)`` become lower case (RFC 3986, 3.2.2). Names are not resolved.
    public enum Address: Hashable, Sendable {
        /// A name or IP address (IPv6 without brackets) and a TCP port.
        case host(String, port: Int)
        /// The absolute path of a Unix domain socket.
        case unix(path: String)

        /// Reads `host:port`, `[IPv6]:port` or `unix:/path`.
        ///
        /// - Throws: `BalancerError` with the code `invalidEndpoint`.
        public init(parsing text: String) throws(BalancerError) {
            if text.hasPrefix("unix:") {
                self = .unix(path: String(text.dropFirst("unix:".count)))
            } else {
                let (host, port) = try Self.split(text)
                self = .host(host.lowercased(), port: port)
            }
            try self.validate()
        }
    }
}

extension Endpoint.Address: CustomStringConvertible {
    /// `host:port`, `[IPv6]:port` or `unix:/path`: what ``init(parsing:)`` reads.
    public var description: String {
        switch self {
        case .host(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

extension Endpoint.Address {
    /// Bytes of a Unix socket's path: `sockaddr_un.sun_path` holds 108 on Linux and 104 on Darwin, one of them the final zero.
    private static let longestPath = 103

    /// Throws when nothing could listen at this address, whatever it was made from.
    func validate() throws(BalancerError) {
        switch self {
        case .host(let host, let port):
            guard (1...65535).contains(port) else { throw .invalidEndpoint(self, "the port must lie in 1…65535") }
            try self.validate(host: host)
        case .unix(let path):
            guard path.utf8.first == UInt8(ascii: "/") else { throw .invalidEndpoint(self, "a socket's path must be absolute") }
            guard path.utf8.count <= Self.longestPath else { throw .invalidEndpoint(self, "a socket's path has at most 103 bytes") }
            guard !path.utf8.contains(0) else { throw .invalidEndpoint(self, "a socket's path holds no zero byte") }
        }
    }

    /// RFC 1123 names with the underscore that private networks use, IPv4, IPv6 with a zone. Says what a host is made of, not whether it exists.
    private func validate(host: String) throws(BalancerError) {
        guard !host.isEmpty else { throw .invalidEndpoint(self, "the host is empty") }
        guard host.utf8.count <= 253 else { throw .invalidEndpoint(self, "a host has at most 253 bytes") }
        let isIPv6 = host.utf8.contains(UInt8(ascii: ":"))
        let isAcceptable = host.utf8.allSatisfy { isIPv6 ? Self.isIPv6Byte($0) : Self.isNameByte($0) }
        guard isAcceptable else { throw .invalidEndpoint(self, "the host has a character that no host has") }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isIPv6Byte(_ byte: UInt8) -> Bool {
        Self.isNameByte(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "%")
    }

    private static func split(_ text: String) throws(BalancerError) -> (host: Substring, port: Int) {
        let host: Substring
        let rest: Substring
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else { throw .invalidEndpoint(text, "the bracket is not closed") }
            host = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
            guard host.contains(":") else { throw .invalidEndpoint(text, "only an IPv6 address stands in brackets") }
        } else {
            let colon = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<colon]
            rest = text[colon...]
        }
        guard rest.first == ":" else { throw .invalidEndpoint(text, "the port is missing") }
        let digits = rest.dropFirst()
        guard !digits.contains(":") else { throw .invalidEndpoint(text, "an IPv6 address stands in brackets") }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let port = Int(digits)
        else {
            throw .invalidEndpoint(text, "the port is not a number")
        }
        return (host, port)
    }
}
