import BalancerKit

/// `host`, `host:port`, `[IPv6]:port` or `unix:/path`, as nginx's URLs and its `listen` have them (`ngx_parse_url`).
struct NginxAddress: Equatable {
    enum Place: Equatable {
        /// An IPv6 address stands here without its brackets.
        case host(String, port: Int)
        case unix(path: String)
    }

    var place: Place
    var hasPort: Bool

    /// - Parameter problem: makes the error from nginx's words for it.
    init(_ text: String, defaultPort: Int, problem: (String) -> NginxError) throws(NginxError) {
        if text.lowercased().hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            guard !path.isEmpty else { throw problem("no path in the unix domain socket") }
            guard path.utf8.count <= 107 else { throw problem("too long path in the unix domain socket") }
            self.place = .unix(path: path)
            self.hasPort = false
            return
        }
        let (host, port) = try Self.split(text, problem)
        guard !host.isEmpty else { throw problem("no host") }
        self.hasPort = port != nil
        var number = defaultPort
        if let port {
            guard let value = NginxQuantity.number(Array(port.utf8)), (1...65_535).contains(value) else { throw problem("invalid port") }
            number = value
        }
        self.place = .host(host.lowercased(), port: number)
    }

    private static func split(
        _ text: String, _ problem: (String) -> NginxError
    ) throws(NginxError) -> (host: String, port: Substring?) {
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { throw problem("invalid host") }
            let host = text[text.index(after: text.startIndex)..<close]
            let rest = text[text.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw problem("invalid host") }
            guard host.contains(":"), host.utf8.allSatisfy({ $0 != .space }) else { throw problem("invalid IPv6 address") }
            return (String(host), rest.isEmpty ? nil : rest.dropFirst())
        }
        guard let colon = text.firstIndex(of: ":") else { return (text, nil) }
        return (String(text[..<colon]), text[text.index(after: colon)...])
    }

    var endpointAddress: Endpoint.Address {
        switch self.place {
        case .host(let host, let port): .host(host, port: port)
        case .unix(let path): .unix(path: path)
        }
    }
}
