/// A name that equals only itself, byte by byte.
///
/// As Swift strings, "é" as one scalar and "é" as "e" with a combining accent are equal; at every store, broker and server they are
/// two names. A dictionary by `String` would take one for the other: an invalidation, a message, a result.
package struct ExactName: Hashable, Comparable, ExpressibleByStringLiteral, Sendable {
    package let text: String

    @inlinable @inline(__always)
    package init(_ text: String) {
        self.text = text
    }

    package init(stringLiteral text: String) {
        self.text = text
    }

    @inlinable @inline(__always)
    package static func == (left: ExactName, right: ExactName) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    @inlinable @inline(__always)
    package func hash(into hasher: inout Hasher) {
        self.text.hashBytes(into: &hasher)
    }

    package static func < (left: ExactName, right: ExactName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension Dictionary where Key == ExactName {
    /// What was read for each name, by name. A name that comes twice has what was read first.
    package init(_ names: some Sequence<String>, _ values: some Sequence<Value>) {
        self.init(zip(names.lazy.map { ExactName($0) }, values)) { first, _ in first }
    }

    package subscript(name name: String) -> Value? {
        get { self[ExactName(name)] }
        set { self[ExactName(name)] = newValue }
    }
}

extension Sequence where Element == String {
    /// Each name once, in the order in which they first come.
    package var distinctNames: [String] {
        var seen: Set<ExactName> = []
        return self.filter { seen.insert(ExactName($0)).inserted }
    }
}
