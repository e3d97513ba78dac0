/// What of a configuration the embedded proxy does not do, or does otherwise. Whatever it could not do without is an error instead.
public struct CompatibilityReport: Sendable {
    /// One statement, and what becomes of it.
    public struct Entry: Hashable, Sendable, CustomStringConvertible {
        public enum Kind: Hashable, Sendable {
            /// It is known, and has no effect here.
            case noEffect
            /// It is followed, and not in all respects as nginx does.
            case differs
        }

        public var kind: Kind
        /// The directive's name.
        public var directive: String
        public var message: String
        public var place: NginxPlace

        /// `FILE:LINE: message`, on one line.
        public var description: String { "\(self.place): \(self.message)".onOneLine }
    }

    /// In the order of the statements.
    public private(set) var entries: [Entry] = []
    private var known: Set<Entry> = []

    public var isEmpty: Bool { self.entries.isEmpty }

    mutating func hasNoEffect(_ node: NginxSyntaxTree.Node, _ why: String? = nil) {
        let message = "\"\(node.name)\" has no effect here" + (why.map { ": \($0)" } ?? "")
        self.add(Entry(kind: .noEffect, directive: node.name, message: message, place: node.place))
    }

    mutating func differs(_ node: NginxSyntaxTree.Node, _ how: String) {
        self.add(Entry(kind: .differs, directive: node.name, message: "\"\(node.name)\": \(how)", place: node.place))
    }

    private mutating func add(_ entry: Entry) {
        if self.known.insert(entry).inserted { self.entries.append(entry) }
    }

    /// `order` gives each file its rank: files in the order in which they were read.
    mutating func sort(files order: [String: Int]) {
        self.entries.sort { left, right in
            (order[left.place.file] ?? 0, left.place.line, left.message) < (order[right.place.file] ?? 0, right.place.line, right.message)
        }
    }
}
