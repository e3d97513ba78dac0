/// `random [two [least_conn]];`
struct RandomChoice {
    let isOfTwo: Bool

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        let words = statement.arguments.map(\.text)
        self.isOfTwo = words.first == "two"
        if let first = words.first, first != "two" { throw .invalid("invalid parameter \"\(first)\"", statement) }
        if words.count > 1, !["least_conn", "least_conn="].contains(words[1]) {
            throw .invalid("invalid parameter \"\(words[1])\"", statement)
        }
    }
}
