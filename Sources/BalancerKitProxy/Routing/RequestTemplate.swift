/// A text with parts that each request fills in: `/new$request_uri`, `${scheme}://$host`. The names are nginx's.
///
/// `$host` (lower case, without port), `$http_host`, `$remote_addr`, `$scheme`, `$request_method`, `$request_uri` (as sent), `$uri` (decoded
/// and normalized), `$args` or `$query_string`, `$is_args`, `$proxy_add_x_forwarded_for`, `$http_NAME`, `$cookie_NAME`, `$arg_NAME`, and
/// `$1` to `$9` or a group's name for what the route's expression has captured.
public struct RequestTemplate: Sendable, Hashable, CustomStringConvertible {
    enum Part: Sendable, Hashable {
        case literal([UInt8])
        case variable(RequestVariable)
    }

    /// The text as it was given.
    public let description: String
    let parts: [Part]

    /// Reads a template.
    ///
    /// - Throws: ``ProxyError`` with the code `invalidConfiguration` for a variable that is not known or not closed, and for control
    ///   characters. O(the text's length).
    public init(_ text: String) throws(ProxyError) {
        self.description = text
        self.parts = try Self.read(Array(text.utf8))
    }

    /// A text without variables, in which a dollar sign is one.
    public init(literal text: String) throws(ProxyError) {
        try Self.check(text.utf8)
        self.description = text
        self.parts = text.isEmpty ? [] : [.literal(Array(text.utf8))]
    }

    private static func check(_ bytes: some Sequence<UInt8>) throws(ProxyError) {
        for byte in bytes where ByteClass.isControl(byte) && byte != 10 && byte != 13 {
            throw .invalid("template", "a text has no control characters")
        }
    }

    private static func read(_ bytes: [UInt8]) throws(ProxyError) -> [Part] {
        try Self.check(bytes)
        var parts: [Part] = []
        var literal: [UInt8] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "$") else {
                literal.append(bytes[index])
                index += 1
                continue
            }
            index += 1
            let isBracketed = index < bytes.count && bytes[index] == UInt8(ascii: "{")
            if isBracketed { index += 1 }
            let start = index
            while index < bytes.count, ByteSet.word.contains(bytes[index]) { index += 1 }
            let name = String(decoding: bytes[start..<index], as: UTF8.self)
            if isBracketed {
                guard index < bytes.count, bytes[index] == UInt8(ascii: "}") else {
                    throw .invalid("template", "the closing bracket in \"\(name)\" variable is missing")
                }
                index += 1
            }
            guard !name.isEmpty else { throw .invalid("template", "invalid variable name") }
            if !literal.isEmpty { parts.append(.literal(literal)) }
            literal = []
            parts.append(.variable(RequestVariable(name)))
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        return parts
    }

    /// The names of variables that are neither nginx's own, as far as they are known here, nor groups.
    public func unknownVariables(groups: some Sequence<String>) -> [String] {
        let groups = Set(groups)
        return self.parts.compactMap { part in
            guard case .variable(.named(let name)) = part, !groups.contains(name) else { return nil }
            return name
        }
    }

    /// Whether a dollar sign stands for itself somewhere, which no text with variables can say.
    package var hasLiteralDollar: Bool {
        self.parts.contains { if case .literal(let bytes) = $0 { bytes.contains(UInt8(ascii: "$")) } else { false } }
    }

    func text(for request: RequestView) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in self.parts {
            switch part {
            case .literal(let literal): bytes += literal
            case .variable(let variable): request.append(variable, to: &bytes)
            }
        }
        return bytes
    }

    /// The text as a field's value: what could end the line, which only decoded paths and captures can hold, is escaped as in a URL.
    func fieldValue(for request: RequestView) -> [UInt8] {
        let text = self.text(for: request)
        guard text.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return text }
        return text.flatMap { $0 < 0x20 || $0 == 0x7F ? PercentEncoding.escaped($0) : [$0] }
    }
}

/// What a template can ask of a request.
enum RequestVariable: Sendable, Hashable {
    case host, originalHost, remoteAddress, scheme, method, originalTarget, path, arguments, questionMark, forwardedFor
    case field([UInt8])
    case cookie([UInt8])
    case argument([UInt8])
    case group(Int)
    /// A group's name, or none.
    case named(String)

    init(_ name: String) {
        func suffix(_ prefix: String) -> [UInt8] { Array(name.utf8.dropFirst(prefix.utf8.count)) }
        switch name {
        case "host": self = .host
        case "http_host": self = .originalHost
        case "remote_addr": self = .remoteAddress
        case "scheme": self = .scheme
        case "request_method": self = .method
        case "request_uri": self = .originalTarget
        case "uri", "document_uri": self = .path
        case "args", "query_string": self = .arguments
        case "is_args": self = .questionMark
        case "proxy_add_x_forwarded_for": self = .forwardedFor
        case _ where name.hasPrefix("http_") && name.utf8.count > 5:
            self = .field(suffix("http_").map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : ByteClass.lowercased($0) })
        case _ where name.hasPrefix("cookie_") && name.utf8.count > 7: self = .cookie(suffix("cookie_"))
        case _ where name.hasPrefix("arg_") && name.utf8.count > 4: self = .argument(suffix("arg_"))
        case _ where name.utf8.count == 1 && name.utf8.allSatisfy(ByteClass.isDigit): self = .group(Int(name) ?? 0)
        default: self = .named(name)
        }
    }
}
