/// Routes for requests to certain hosts: nginx's `server` beside others on one address.
public struct ProxyHost: Sendable {
    /// Names as in nginx's `server_name`: `www.example.com`, `*.example.com`, `.example.com` (both of the domain and below it),
    /// `mail.*`, `~expression`, and the empty name for requests without a host.
    public var names: [String]
    /// As ``ProxyConfiguration/routes`` for these names; empty leads to those.
    public var routes: [ProxyRoute]
    /// What responses get, unless a route says otherwise. Means nothing beside no routes.
    public var responses = ResponseSettings()

    public init(names: [String], routes: [ProxyRoute]) {
        self.names = names
        self.routes = routes
    }
}

/// Finds the routes of a host: the exact name, else the longest `*.name`, else the longest `name.*`, else the first expression.
package struct HostTable: Sendable {
    private var exact: [String: Int] = [:]
    /// What follows the star, with its dot.
    private var suffixes: [String: Int] = [:]
    /// What precedes the star, with its dot.
    private var prefixes: [String: Int] = [:]
    private var expressions: [(PathExpression, Int)] = []

    var isEmpty: Bool { self.exact.isEmpty && self.suffixes.isEmpty && self.prefixes.isEmpty && self.expressions.isEmpty }

    /// Of several hosts with one name the first has it.
    package init(_ hosts: [[String]]) throws(ProxyError) {
        for (index, names) in hosts.enumerated() {
            for name in names { try self.add(name, index) }
        }
    }

    private mutating func add(_ name: String, _ index: Int) throws(ProxyError) {
        if name.hasPrefix("~") {
            let ignoresCase = name.hasPrefix("~*")
            // nginx compares hosts in lower case, and ignores the case of such an expression where it has capitals.
            return self.expressions.append(
                (try PathExpression(String(name.dropFirst(ignoresCase ? 2 : 1)), ignoresCase: true), index))
        }
        let lowered = name.lowercased()
        let stars = lowered.filter { $0 == "*" }.count
        if lowered.hasPrefix("*."), stars == 1, lowered.count > 2 {
            Self.put(String(lowered.dropFirst()), index, &self.suffixes)
        } else if lowered.hasSuffix(".*"), stars == 1, lowered.count > 2 {
            Self.put(String(lowered.dropLast()), index, &self.prefixes)
        } else if lowered.hasPrefix("."), stars == 0, lowered.count > 1 {
            Self.put(lowered, index, &self.suffixes)
            Self.put(String(lowered.dropFirst()), index, &self.exact)
        } else {
            guard stars == 0 else { throw .invalid("hosts", "a star stands alone at one end of a name: \(name.prefix(80))") }
            Self.put(lowered, index, &self.exact)
        }
    }

    private static func put(_ name: String, _ index: Int, _ names: inout [String: Int]) {
        if names[name] == nil { names[name] = index }
    }

    /// The index of the host; nil is the default one.
    ///
    /// - Parameter host: in lower case, without port and trailing dot; empty where the request names none. O(its labels + expressions).
    package func host(for host: String) -> Int? {
        if let index = self.exact[host] { return index }
        if !self.suffixes.isEmpty {
            var rest = host[...].utf8
            // The longest suffix begins at the leftmost dot.
            while let dot = rest.firstIndex(of: UInt8(ascii: ".")) {
                if dot > host.startIndex, let index = self.suffixes[String(host[dot...])] { return index }
                rest = rest[rest.index(after: dot)...]
            }
        }
        if !self.prefixes.isEmpty {
            var rest = host[...].utf8
            while let dot = rest.lastIndex(of: UInt8(ascii: ".")) {
                let next = rest.index(after: dot)
                if next < host.endIndex, let index = self.prefixes[String(host[..<next])] { return index }
                rest = rest[..<dot]
            }
        }
        guard !self.expressions.isEmpty else { return nil }
        return Array(host.utf8).withUnsafeBytes { bytes in
            self.expressions.first { expression, _ in
                if case .match = expression.program.search(UnsafeRawBufferPointer(bytes)) { true } else { false }
            }?.1
        }
    }
}
