/// A configuration as it was written: statements and comments in order, each with its place.
///
/// The nodes lie in one array, each before what is in its block, so that no depth of nesting costs a call stack. What an `include` brought
/// stands below the include.
public struct NginxSyntaxTree: Sendable {
    /// A statement, or a comment that stands by itself.
    public struct Node: Sendable {
        /// The directive's name and its arguments; empty for a comment.
        public var words: [NginxWord]
        /// Comments between the words, each with the number of words before it; of a comment node, itself.
        public var comments: [InnerComment]
        /// Whether a block follows.
        public var hasBlock: Bool
        /// Where the statement ends, in `;` or `{`: the place that nginx names in its messages.
        public var place: NginxPlace
        /// The statement whose block (or included file) this is in.
        public var parent: Int?
        /// The index behind the last node of the block.
        public var end: Int

        /// The directive's name; empty for a comment.
        public var name: String { self.words.first?.text ?? "" }
        /// The words behind the name.
        public var arguments: ArraySlice<NginxWord> { self.words.dropFirst() }
        public var isComment: Bool { self.words.isEmpty }
    }

    /// A comment within a statement.
    public struct InnerComment: Hashable, Sendable {
        public var comment: NginxComment
        public var wordsBefore: Int
    }

    public internal(set) var nodes: [Node] = []

    /// Reads the grammar alone: any directive, and `include` as a statement like others.
    ///
    /// - Parameter file: what errors call the text.
    /// - Throws: ``NginxError`` with the code `syntax`. O(bytes).
    public init(parsing bytes: some Sequence<UInt8>, file: String = "nginx.conf") throws(NginxError) {
        var parser = SyntaxParser(AnyStatement(), files: nil)
        self = try parser.parse(Array(bytes), file: file, context: .any)
    }

    init() {}

    /// The statements directly in the block of a node, or at the top; what was included counts as if it stood there.
    public func statements(in block: Int? = nil) -> [Int] {
        var found: [Int] = []
        var index = block.map { $0 + 1 } ?? 0
        let end = block.map { self.nodes[$0].end } ?? self.nodes.count
        while index < end {
            let node = self.nodes[index]
            if node.isComment {
                index += 1
            } else if node.name == "include", !node.hasBlock {
                found.append(index)
                index += 1
            } else {
                found.append(index)
                index = node.end
            }
        }
        return found
    }

    /// The statement in whose block a node stands, past the includes that brought it.
    public func block(around node: Int) -> Int? {
        var parent = self.nodes[node].parent
        while let index = parent, !self.nodes[index].hasBlock { parent = self.nodes[index].parent }
        return parent
    }
}
