/// What a statement means to the reading of those that follow.
enum StatementEffect {
    case none
    /// Its block is read as this.
    case opens(NginxBlock)
    /// The files that match are read in its place.
    case includes(pattern: [UInt8])
}

/// Judges statements while they are read, so that of several errors in a file the first is reported, as nginx does.
protocol StatementChecker {
    mutating func check(_ statement: NginxSyntaxTree.Node, in block: NginxBlock) throws(NginxError) -> StatementEffect
    /// The block of `statement` ends at `place`.
    mutating func close(_ statement: NginxSyntaxTree.Node, _ block: NginxBlock, at place: NginxPlace) throws(NginxError)
}

/// Accepts everything.
struct AnyStatement: StatementChecker {
    func check(_ statement: NginxSyntaxTree.Node, in block: NginxBlock) throws(NginxError) -> StatementEffect {
        statement.hasBlock ? .opens(.any) : .none
    }

    func close(_ statement: NginxSyntaxTree.Node, _ block: NginxBlock, at place: NginxPlace) throws(NginxError) {}
}

/// Puts statements together to a tree, and included files into their place. Its stacks are arrays.
struct SyntaxParser<Checker: StatementChecker> {
    private struct OpenFile {
        var reader: StatementReader
        /// Blocks that were open when it began: it can close none of them.
        let outerBlocks: Int
        let include: Int?
    }

    private struct OpenBlock {
        let node: Int
        let block: NginxBlock
    }

    private(set) var checker: Checker
    private var inclusion: Inclusion?
    private var tree = NginxSyntaxTree()
    private var files: [OpenFile] = []
    private var blocks: [OpenBlock] = []
    /// Matches of an include that are still to be read, behind the file that is on top.
    private var waiting: [(files: [String], include: Int)] = []

    init(_ checker: Checker, files inclusion: Inclusion?) {
        self.checker = checker
        self.inclusion = inclusion
    }

    mutating func parse(_ bytes: [UInt8], file: String, context: NginxBlock) throws(NginxError) -> NginxSyntaxTree {
        self.files = [OpenFile(reader: StatementReader(bytes, file: file), outerBlocks: 0, include: nil)]
        while !self.files.isEmpty {
            let top = self.files.count - 1
            let statement = try self.files[top].reader.next()
            switch statement.ending {
            case .fileEnd: try self.endFile(statement)
            case .blockEnd: try self.endBlock(statement)
            case .semicolon, .blockStart: try self.add(statement, context)
            }
        }
        return self.tree
    }

    private func place(_ statement: StatementReader.Statement) -> NginxPlace {
        NginxPlace(file: self.files.last?.reader.file ?? "", line: statement.line)
    }

    /// What the next node is in: the innermost block, or the file that is being included within it.
    private var parent: Int? {
        guard let file = self.files.last else { return nil }
        return self.blocks.count > file.outerBlocks ? self.blocks.last?.node : file.include ?? self.blocks.last?.node
    }

    private mutating func addComments(_ statement: StatementReader.Statement) {
        let parent = self.parent
        for (comment, wordsBefore) in statement.comments where wordsBefore == 0 {
            self.tree.nodes.append(
                .init(
                    words: [], comments: [.init(comment: comment, wordsBefore: 0)], hasBlock: false,
                    place: NginxPlace(file: self.place(statement).file, line: comment.line), parent: parent,
                    end: self.tree.nodes.count + 1))
        }
    }

    private mutating func add(_ statement: StatementReader.Statement, _ context: NginxBlock) throws(NginxError) {
        self.addComments(statement)
        let index = self.tree.nodes.count
        let inner = statement.comments.filter { $0.wordsBefore > 0 }
        let node = NginxSyntaxTree.Node(
            words: statement.words,
            comments: inner.map { NginxSyntaxTree.InnerComment(comment: $0.comment, wordsBefore: $0.wordsBefore) },
            hasBlock: statement.ending == .blockStart, place: self.place(statement), parent: self.parent, end: index + 1)
        let effect = try self.checker.check(node, in: self.blocks.last?.block ?? context)
        self.tree.nodes.append(node)
        switch effect {
        case .none: break
        case .opens(let block): self.blocks.append(OpenBlock(node: index, block: block))
        case .includes(let pattern):
            guard let names = try self.inclusion?.files(matching: pattern, at: node.place) else { return }
            self.waiting.append((names.reversed(), index))
            try self.openNext()
        }
    }

    private mutating func endBlock(_ statement: StatementReader.Statement) throws(NginxError) {
        guard let file = self.files.last, self.blocks.count > file.outerBlocks, let block = self.blocks.last else {
            throw self.error(#"unexpected "}""#, statement)
        }
        self.addComments(statement)
        try self.checker.close(self.tree.nodes[block.node], block.block, at: self.place(statement))
        self.tree.nodes[block.node].end = self.tree.nodes.count
        self.blocks.removeLast()
    }

    private mutating func endFile(_ statement: StatementReader.Statement) throws(NginxError) {
        guard let file = self.files.last, self.blocks.count == file.outerBlocks else {
            throw self.error(#"unexpected end of file, expecting "}""#, statement)
        }
        self.addComments(statement)
        self.files.removeLast()
        guard file.include != nil else { return }
        self.inclusion?.closed(file.reader.file)
        try self.openNext()
    }

    /// Opens the next file of the innermost include, or ends it.
    private mutating func openNext() throws(NginxError) {
        guard var include = self.waiting.popLast() else { return }
        guard let name = include.files.popLast() else {
            self.tree.nodes[include.include].end = self.tree.nodes.count
            return
        }
        let place = self.tree.nodes[include.include].place
        self.waiting.append(include)
        guard let bytes = try self.inclusion?.open(name, at: place) else { return }
        self.files.append(
            OpenFile(reader: StatementReader(bytes, file: name), outerBlocks: self.blocks.count, include: include.include))
    }

    private func error(_ message: String, _ statement: StatementReader.Statement) -> NginxError {
        NginxError(code: .syntax, message: message, place: self.place(statement))
    }
}
