/// A name that equals only itself, byte by byte.
///
/// As Swift strings, "é" as one scalar and "é" as "e" with a combining accent are equal; at every store they are two names. A dictionary
/// by `String` would take an invalidation of one for the other's.
struct ExactName: Hashable, Comparable, ExpressibleByStringLiteral, Sendable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    init(stringLiteral text: String) {
        self.text = text
    }

    static func == (left: ExactName, right: ExactName) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    func hash(into hasher: inout Hasher) {
        self.text.hashBytes(into: &hasher)
    }

    static func < (left: ExactName, right: ExactName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension Dictionary where Key == ExactName {
    /// What was read for each name, by name. A name that comes twice has what was read first.
    init(_ names: some Sequence<String>, _ values: some Sequence<Value>) {
        self.init(zip(names.lazy.map { ExactName($0) }, values)) { first, _ in first }
    }

    subscript(name name: String) -> Value? {
        get { self[ExactName(name)] }
        set { self[ExactName(name)] = newValue }
    }
}
