import BalancerKit
import BalancerKitProxy

/// `zone=NAME:SIZE` and `rate=10r/s` of `limit_req_zone` and `limit_conn_zone`.
struct ZoneArguments {
    private(set) var name = ""
    private(set) var size = 0
    private(set) var rate = 1
    private(set) var isPerMinute = false

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        for word in statement.arguments.dropFirst().map(\.text) {
            if word.hasPrefix("zone=") {
                try self.takeZone(String(word.dropFirst("zone=".count)), word, statement)
            } else if word.hasPrefix("rate="), statement.name == "limit_req_zone" {
                try self.takeRate(String(word.dropFirst("rate=".count)), word, statement)
            } else {
                throw .invalid("invalid parameter \"\(word)\"", statement)
            }
        }
        guard !self.name.isEmpty else { throw .invalid("\"\(statement.name)\" must have \"zone\" parameter", statement) }
    }

    private mutating func takeZone(_ zone: String, _ word: String, _ statement: NginxSyntaxTree.Node) throws(NginxError) {
        guard let colon = zone.firstIndex(of: ":"),
            let size = NginxQuantity.size(Array(zone[zone.index(after: colon)...].utf8), allowsGiga: false)
        else { throw .invalid("invalid zone size \"\(word)\"", statement) }
        // Eight pages, as nginx asks for.
        guard size >= 8 * 4096 else { throw .invalid("zone \"\(word)\" is too small", statement) }
        (self.name, self.size) = (String(zone[..<colon]), size)
        guard !self.name.isEmpty else { throw .invalid("invalid zone name \"\(word)\"", statement) }
    }

    private mutating func takeRate(_ rate: String, _ word: String, _ statement: NginxSyntaxTree.Node) throws(NginxError) {
        self.isPerMinute = rate.hasSuffix("r/m")
        let digits = self.isPerMinute || rate.hasSuffix("r/s") ? rate.dropLast(3) : rate[...]
        guard let value = NginxQuantity.number(Array(digits.utf8)), value > 0, value <= 1_000_000_000 else {
            throw .invalid("invalid rate \"\(word)\"", statement)
        }
        self.rate = value
    }

    /// How many keys nginx could keep in the zone, each in so many bytes.
    func keys(of bytes: Int) -> Int { min(max(1, self.size / bytes), 1 << 20) }
}

/// `limit_req zone=NAME [burst=NUMBER] [nodelay | delay=NUMBER];`
struct RequestLimitArguments {
    private(set) var limit = RequestLimit(zone: "")

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        for word in statement.arguments.map(\.text) {
            if word.hasPrefix("zone=") {
                self.limit.zone = String(word.dropFirst("zone=".count))
            } else if word.hasPrefix("burst=") {
                self.limit.burst = try Self.number(word.dropFirst("burst=".count), least: 1, "burst", word, statement)
            } else if word.hasPrefix("delay=") {
                self.limit.delay = .above(try Self.number(word.dropFirst("delay=".count), least: 1, "delay", word, statement))
            } else if word == "nodelay" {
                self.limit.delay = .never
            } else {
                throw .invalid("invalid parameter \"\(word)\"", statement)
            }
        }
        guard !self.limit.zone.isEmpty else { throw .invalid("\"limit_req\" must have \"zone\" parameter", statement) }
    }

    private static func number(
        _ text: Substring, least: Int, _ what: String, _ word: String, _ statement: NginxSyntaxTree.Node
    ) throws(NginxError) -> Int {
        guard let value = NginxQuantity.number(Array(text.utf8)), value >= least, value <= 1_000_000_000 else {
            throw .invalid("invalid \(what) value \"\(word)\"", statement)
        }
        return value
    }
}
