/// `proxy_pass URL;`: where requests go, and what becomes of their path.
struct ProxyTarget: Equatable {
    var isTLS = false
    var hasVariables = false
    /// Host, or name of an upstream; nil with variables.
    var address: NginxAddress?
    /// As `$proxy_host` has it.
    var hostHeader = ""
    /// The part behind the host; nil is none, which sends the path on as it came.
    var path: String?

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        let word = statement.arguments.first ?? NginxWord(bytes: [])
        let url = word.text
        guard try VariableNames.inside(word.bytes, at: statement.place).isEmpty else {
            self.hasVariables = true
            return
        }
        let lowered = url.lowercased()
        let rest: Substring
        if lowered.hasPrefix("http://") {
            rest = url.dropFirst("http://".count)
        } else if lowered.hasPrefix("https://") {
            rest = url.dropFirst("https://".count)
            self.isTLS = true
        } else {
            throw .invalid("invalid URL prefix", statement)
        }
        let end = Self.endOfHost(rest)
        let host = String(rest[..<end])
        let remainder = rest[end...]
        self.path = remainder.isEmpty ? nil : String(remainder.hasPrefix(":") ? remainder.dropFirst() : remainder)
        self.address = try NginxAddress(host, defaultPort: self.isTLS ? 443 : 80) {
            .invalid("\($0) in upstream \"\(rest)\"", statement)
        }
        self.hostHeader = Self.hostHeader(host, self.address, isTLS: self.isTLS)
    }

    /// Where the host ends: at a slash or question mark; a socket's path ends in a colon.
    private static func endOfHost(_ rest: Substring) -> Substring.Index {
        guard rest.lowercased().hasPrefix("unix:") else { return rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex }
        return rest.dropFirst("unix:".count).firstIndex(of: ":") ?? rest.endIndex
    }

    /// The host as it is written, without a port that the scheme implies.
    private static func hostHeader(_ host: String, _ address: NginxAddress?, isTLS: Bool) -> String {
        switch address?.place {
        case .unix: "localhost"
        case .host(_, let port) where address?.hasPort == true && port == (isTLS ? 443 : 80):
            host.lastIndex(of: ":").map { String(host[..<$0]) } ?? host
        case .host, nil: host
        }
    }
}
