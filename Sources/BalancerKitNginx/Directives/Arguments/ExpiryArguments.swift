/// `expires TIME; expires modified TIME;` (`ngx_http_headers_expires`, `ngx_http_parse_expires`)
struct ExpiryArguments {
    enum Time: Equatable {
        case off, epoch, max
        /// After the response, in seconds.
        case after(Int)
        /// After the response's Last-Modified, in seconds.
        case afterModification(Int)
        /// Seconds since midnight.
        case daily(Int)
        /// What a variable says.
        case variable
    }

    let time: Time

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        let words = Array(statement.arguments)
        guard words.count == 1 || words.count == 2 && words[0].text == "modified", var bytes = words.last?.bytes else {
            throw Self.invalid("invalid value", statement)
        }
        let isModified = words.count == 2
        guard !bytes.contains(.dollar) else {
            _ = try VariableNames.inside(bytes, at: statement.place)
            self.time = .variable
            return
        }
        if !isModified, let word = ["off": Time.off, "epoch": .epoch, "max": .max][words[0].text] {
            self.time = word
            return
        }
        let sign = bytes.first
        let isDaily = sign == UInt8(ascii: "@")
        if isDaily, isModified { throw Self.invalid("daily time cannot be used with \"modified\" parameter", statement) }
        if isDaily || sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { bytes.removeFirst() }
        guard let seconds = NginxQuantity.time(bytes, in: .seconds) else { throw Self.invalid("invalid value", statement) }
        if isDaily, seconds > 86_400 { throw Self.invalid("daily time value must be less than 24 hours", statement) }
        let signed = sign == UInt8(ascii: "-") ? -seconds : seconds
        self.time = isDaily ? .daily(seconds) : isModified ? .afterModification(signed) : .after(signed)
    }

    private static func invalid(_ message: String, _ statement: NginxSyntaxTree.Node) -> NginxError {
        .invalid("\"expires\" directive \(message)", statement)
    }
}
