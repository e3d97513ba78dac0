/// Which of several things goes with a name that a client asks for (SNI): the exact name, then the longest wildcard, then whatever is for
/// nobody in particular.
struct ServerNames<Value: Sendable>: Sendable {
    private var exact: [String: Value] = [:]
    /// By what follows the asterisk, dot included.
    private var wildcards: [String: Value] = [:]
    /// The first without names.
    private var nameless: Value?
    private var first: Value?

    /// Of one name that stands twice the first counts.
    init(_ entries: [(names: [String], value: Value)]) {
        for (names, value) in entries {
            if self.first == nil { self.first = value }
            if names.isEmpty, self.nameless == nil { self.nameless = value }
            for name in names {
                let name = Self.plain(name)
                if name.hasPrefix("*.") {
                    let suffix = String(name.dropFirst())
                    if self.wildcards[suffix] == nil { self.wildcards[suffix] = value }
                } else if self.exact[name] == nil {
                    self.exact[name] = value
                }
            }
        }
    }

    /// - Parameter refusesUnknown: whether nothing goes with a name that is nobody's, or with none unless something is for nobody in particular.
    func value(for name: String?, refusesUnknown: Bool) -> Value? {
        guard let name = name.map(Self.plain), !name.isEmpty else { return self.nameless ?? (refusesUnknown ? nil : self.first) }
        if let value = self.exact[name] { return value }
        var rest = name[...]
        while let dot = rest.dropFirst().firstIndex(of: ".") {
            rest = rest[dot...]
            if let value = self.wildcards[String(rest)] { return value }
        }
        return refusesUnknown ? nil : self.nameless ?? self.first
    }

    private static func plain(_ name: String) -> String {
        let name = name.lowercased()
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }
}
