import BalancerKit

/// `server ADDRESS [weight=] [max_fails=] [fail_timeout=] [max_conns=] [backup] [down];` of an upstream.
struct UpstreamServer {
    private(set) var endpoint: Endpoint

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        guard statement.words.count > 1 else { throw .invalid("invalid number of arguments in \"server\" directive", statement) }
        let text = statement.words[1].text
        let address = try NginxAddress(text, defaultPort: 80) { .invalid("\($0) in upstream \"\(text)\"", statement) }
        self.endpoint = Endpoint(address.endpointAddress)
        for word in statement.words.dropFirst(2) {
            guard self.take(word.text) else { throw .invalid("invalid parameter \"\(word.text)\"", statement) }
        }
    }

    private mutating func take(_ parameter: String) -> Bool {
        switch parameter {
        case "backup": self.endpoint.isBackup = true
        case "down": self.endpoint.isDown = true
        default:
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return false }
            return self.take(String(parts[0]), Array(parts[1].utf8))
        }
        return true
    }

    private mutating func take(_ name: String, _ value: [UInt8]) -> Bool {
        switch name {
        case "weight":
            guard let weight = NginxQuantity.number(value), weight > 0 else { return false }
            self.endpoint.weight = weight
        case "max_conns":
            guard let connections = NginxQuantity.number(value) else { return false }
            self.endpoint.maxConnections = connections
        case "max_fails":
            guard let fails = NginxQuantity.number(value) else { return false }
            self.endpoint.maxFails = fails
        case "fail_timeout":
            guard let seconds = NginxQuantity.time(value, in: .seconds) else { return false }
            self.endpoint.failTimeout = .seconds(seconds)
        default: return false
        }
        return true
    }
}

extension NginxError {
    static func invalid(_ message: String, _ statement: NginxSyntaxTree.Node) -> NginxError {
        NginxError(code: .invalidValue, message: message, place: statement.place)
    }

    static func unsupported(_ message: String, at place: NginxPlace?) -> NginxError {
        NginxError(code: .unsupported, message: message, place: place)
    }
}
