/// `listen ADDRESS [PARAMETERS];`: where a server listens.
struct ListenAddress: Equatable {
    enum Place: Equatable {
        case all4(port: Int)
        case all6(port: Int)
        case host(String, port: Int)
        case unix(path: String)
    }

    var place: Place
    var backlog: Int?
    var reusesPort = false
    var isTLS = false
    var isHTTP2 = false
    var isProxyProtocol = false
    var isDefault = false
    /// Parameters of sockets that the embedded proxy leaves to the system.
    var inert: [String] = []

    init(place: Place) {
        self.place = place
    }

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        guard statement.words.count > 1 else { throw .invalid("invalid number of arguments in \"listen\" directive", statement) }
        self.place = try Self.place(statement.words[1].text, statement)
        for word in statement.words.dropFirst(2) { try self.take(word.text, statement) }
    }

    private static func place(_ text: String, _ statement: NginxSyntaxTree.Node) throws(NginxError) -> Place {
        func problem(_ words: String) -> NginxError { .invalid("\(words) in \"\(text)\" of the \"listen\" directive", statement) }
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            guard let port = NginxQuantity.number(Array(text.utf8)), (1...65_535).contains(port) else { throw problem("invalid port") }
            return .all4(port: port)
        }
        let address = try NginxAddress(text, defaultPort: 80, problem: problem)
        return switch address.place {
        case .host("*", let port): .all4(port: port)
        case .host("0.0.0.0", let port): .all4(port: port)
        case .host("::", let port): .all6(port: port)
        case .host(let host, let port): .host(host, port: port)
        case .unix(let path): .unix(path: path)
        }
    }

    private mutating func take(_ parameter: String, _ statement: NginxSyntaxTree.Node) throws(NginxError) {
        switch parameter {
        case "default_server", "default": self.isDefault = true
        case "reuseport": self.reusesPort = true
        case "ssl": self.isTLS = true
        case "http2": self.isHTTP2 = true
        case "proxy_protocol": self.isProxyProtocol = true
        case "bind", "deferred", "ipv6only=on", "ipv6only=off", "so_keepalive=on", "so_keepalive=off": self.inert.append(parameter)
        default: try self.takeValue(parameter, statement)
        }
    }

    private mutating func takeValue(_ parameter: String, _ statement: NginxSyntaxTree.Node) throws(NginxError) {
        let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count == 2 ? Array(parts[1].utf8) : []
        switch parts.first.map(String.init) {
        case "backlog" where parts.count == 2:
            guard let backlog = NginxQuantity.number(value), backlog > 0 else {
                throw .invalid("invalid backlog \"\(parameter)\"", statement)
            }
            self.backlog = backlog
        case "fastopen" where parts.count == 2:
            guard NginxQuantity.number(value) != nil else { throw .invalid("invalid fastopen \"\(parameter)\"", statement) }
            self.inert.append(parameter)
        case "rcvbuf" where parts.count == 2, "sndbuf" where parts.count == 2:
            guard NginxQuantity.size(value, allowsGiga: false) != nil else {
                throw .invalid("invalid \(parts[0]) \"\(parameter)\"", statement)
            }
            self.inert.append(parameter)
        case "ipv6only" where parts.count == 2:
            throw .invalid("invalid ipv6only flags \"\(parts[1])\"", statement)
        case "so_keepalive" where parts.count == 2: self.inert.append(parameter)
        default: throw .invalid("invalid parameter \"\(parameter)\"", statement)
        }
    }
}
