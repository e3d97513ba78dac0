/// Which paths a `location` takes.
struct LocationMatch: Equatable {
    enum Kind: Equatable {
        case prefix
        /// `^~`: a prefix that keeps regular expressions out.
        case firmPrefix
        case exact
        case regularExpression(ignoresCase: Bool)
        /// `@name`
        case named
    }

    var kind: Kind
    var name: String

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        let words = statement.arguments.map(\.text)
        guard words.count == 2 else {
            (self.kind, self.name) = Self.joined(words.first ?? "")
            return
        }
        self.name = words[1]
        switch words[0] {
        case "=": self.kind = .exact
        case "^~": self.kind = .firmPrefix
        case "~": self.kind = .regularExpression(ignoresCase: false)
        case "~*": self.kind = .regularExpression(ignoresCase: true)
        default: throw .invalid("invalid location modifier \"\(words[0])\"", statement)
        }
    }

    /// Modifier and name in one word, as in `=/path`.
    private static func joined(_ word: String) -> (Kind, String) {
        for (modifier, kind) in [
            ("=", Kind.exact), ("^~", .firmPrefix), ("~*", .regularExpression(ignoresCase: true)),
            ("~", .regularExpression(ignoresCase: false)),
        ] where word.hasPrefix(modifier) {
            return (kind, String(word.dropFirst(modifier.count)))
        }
        return (word.hasPrefix("@") ? .named : .prefix, word)
    }

    var isRegularExpression: Bool {
        switch self.kind {
        case .regularExpression: true
        case .prefix, .firmPrefix, .exact, .named: false
        }
    }

    /// Whether nginx takes the two for the same: the later one is then a duplicate.
    func isSame(as other: LocationMatch) -> Bool {
        switch (self.kind, other.kind) {
        case (.exact, .exact), (.named, .named): self.name == other.name
        case (.prefix, .prefix), (.prefix, .firmPrefix), (.firmPrefix, .prefix), (.firmPrefix, .firmPrefix): self.name == other.name
        default: false
        }
    }
}
