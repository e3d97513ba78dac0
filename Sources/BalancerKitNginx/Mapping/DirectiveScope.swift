/// Looks directives up by block, with nginx's inheritance: a block that says nothing has what the block around it says.
struct DirectiveScope {
    let tree: NginxSyntaxTree
    /// Statements by block (-1: the top) and name.
    private var statements: [Int: [String: [Int]]] = [:]
    private var blocks: [Int: Int] = [:]

    init(_ tree: NginxSyntaxTree) {
        self.tree = tree
        for index in tree.nodes.indices where !tree.nodes[index].isComment {
            let block = tree.block(around: index) ?? -1
            self.blocks[index] = block
            self.statements[block, default: [:]][tree.nodes[index].name, default: []].append(index)
        }
    }

    func node(_ index: Int) -> NginxSyntaxTree.Node { self.tree.nodes[index] }

    /// Those that stand in the block itself.
    func own(_ name: String, in block: Int) -> [Int] { self.statements[block]?[name] ?? [] }

    /// Those of the innermost block that has any.
    func inherited(_ name: String, in block: Int) -> [NginxSyntaxTree.Node] {
        var block = block
        while true {
            let found = self.own(name, in: block)
            if !found.isEmpty || block < 0 { return found.map(self.node) }
            block = self.blocks[block] ?? -1
        }
    }

    func block(around index: Int) -> Int { self.blocks[index] ?? -1 }
}
