/// A request as templates and routes see it: its head, who sent it, and what its route has captured.
struct RequestView {
    let head: RequestHead
    let bytes: UnsafeRawBufferPointer
    let client: ClientAddress
    let isTLS: Bool
    /// Where the request names no host.
    let defaultHost: String
    var captures = RouteCaptures.none

    func append(_ variable: RequestVariable, to text: inout [UInt8]) {
        switch variable {
        case .host:
            guard let authority = self.head.authority else {
                text += self.defaultHost.utf8
                return
            }
            text += self.bytes[authority.name].map(ByteClass.lowercased)
        case .originalHost: if let authority = self.head.authority { text += self.bytes[authority.text] }
        case .remoteAddress: text += self.client.bytes
        case .scheme: text += (self.isTLS ? "https" : "http").utf8
        case .method: text += self.bytes[self.head.methodName]
        case .originalTarget: self.appendTarget(to: &text)
        case .path: text += self.path
        case .arguments: if let query { text += self.bytes[query] }
        case .questionMark: if let query, !query.isEmpty { text.append(UInt8(ascii: "?")) }
        case .forwardedFor: self.appendForwardedFor(to: &text)
        case .field(let name): self.appendField(name, to: &text)
        case .cookie(let name): self.appendCookie(name, to: &text)
        case .argument(let name): self.appendArgument(name, to: &text)
        case .group(let number): text += self.captures.group(number)
        case .named(let name): text += self.captures.group(named: name)
        }
    }

    /// Decoded and normalized.
    var path: [UInt8] {
        guard let target = self.head.target, !target.lacksPath else { return [UInt8(ascii: "/")] }
        return target.isPlain ? Array(self.bytes[target.path]) : NormalizedPath.of(self.bytes, target.path)
    }

    /// What stands behind the question mark; nil without one.
    var query: Range<Int>? {
        guard let target = self.head.target, target.path.upperBound < target.pathAndQuery.upperBound else { return nil }
        return (target.path.upperBound + 1)..<target.pathAndQuery.upperBound
    }

    private func appendTarget(to text: inout [UInt8]) {
        guard let target = self.head.target else { return }
        if target.lacksPath { text.append(UInt8(ascii: "/")) }
        text += self.bytes[target.pathAndQuery]
    }

    private func appendForwardedFor(to text: inout [UInt8]) {
        for field in self.head.fields.fields where field.id == .xForwardedFor {
            text += self.bytes[field.value]
            text += ", ".utf8
        }
        text += self.client.bytes
    }

    /// All values of the field, as nginx 1.23 and later join them.
    private func appendField(_ name: [UInt8], to text: inout [UInt8]) {
        var isFirst = true
        for field in self.head.fields.fields
        where field.name.count == name.count && self.bytes[field.name].lazy.map(ByteClass.lowercased).elementsEqual(name) {
            if !isFirst { text += (field.id == .cookie ? "; " : ", ").utf8 }
            isFirst = false
            text += self.bytes[field.value]
        }
    }

    private func appendCookie(_ name: [UInt8], to text: inout [UInt8]) {
        for field in self.head.fields.fields where field.id == .cookie {
            for pair in self.bytes[field.value].split(separator: UInt8(ascii: ";")) {
                let pair = pair.drop(while: ByteClass.isBlank)
                guard let equals = pair.firstIndex(of: UInt8(ascii: "=")), Self.isEqual(pair[..<equals], name) else { continue }
                text += pair[(equals + 1)...]
                return
            }
        }
    }

    private func appendArgument(_ name: [UInt8], to text: inout [UInt8]) {
        guard let query else { return }
        for pair in self.bytes[query].split(separator: UInt8(ascii: "&")) {
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")), Self.isEqual(pair[..<equals], name) else { continue }
            text += pair[(equals + 1)...]
            return
        }
    }

    /// nginx compares both names without regard to case.
    private static func isEqual(_ bytes: some Collection<UInt8>, _ name: [UInt8]) -> Bool {
        bytes.count == name.count && bytes.lazy.map(ByteClass.lowercased).elementsEqual(name.lazy.map(ByteClass.lowercased))
    }
}

/// What an expression has captured of a path.
struct RouteCaptures: Sendable, Equatable {
    static let none = RouteCaptures(groups: [], names: [:])

    var groups: [[UInt8]]
    var names: [String: Int]

    func group(_ number: Int) -> [UInt8] { self.groups.indices.contains(number) ? self.groups[number] : [] }
    func group(named name: String) -> [UInt8] { self.names[name].map(self.group) ?? [] }
}

/// `%41` and back, as nginx escapes a path for an upstream (`ngx_escape_uri`, NGX_ESCAPE_URI).
enum PercentEncoding {
    /// Controls, space, `" # % < > ? \ ^ `` ` `` { | }`, and what is no ASCII.
    private static let risky: ByteSet = {
        var set = ByteSet(0...32, 127...255)
        for byte in "\"#%<>?\\^`{|}".utf8 { set.insert(byte) }
        return set
    }()

    static func escaped(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    static func path(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        bytes.flatMap { Self.risky.contains($0) ? Self.escaped($0) : [$0] }
    }
}
