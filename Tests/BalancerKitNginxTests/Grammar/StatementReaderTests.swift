import Testing

@testable import BalancerKitNginx

/// One rule of the grammar: a text, and its words by statement or the message.
struct GrammarCase: CustomTestStringConvertible, Sendable {
    let text: String
    var words: [[String]] = []
    var message: String?

    var testDescription: String { String(self.text.prefix(40)) }

    static func accepted(_ text: String, _ words: [[String]]) -> GrammarCase { GrammarCase(text: text, words: words) }
    static func refused(_ text: String, _ message: String) -> GrammarCase { GrammarCase(text: text, message: message) }
}

/// Each rule with a case that just passes and one that just fails.
let grammarCases: [GrammarCase] = [
    .accepted("a b\t c\r\nd;", [["a", "b", "c", "d"]]),
    .accepted("", []),
    .accepted(" \n\t\r", []),
    .accepted("a;b;", [["a"], ["b"]]),
    .refused("a b", #"unexpected end of file, expecting ";" or "}" in f:1"#),
    .refused("a\nb\n", #"unexpected end of file, expecting ";" or "}" in f:3"#),
    .refused(";", #"unexpected ";" in f:1"#),
    .refused("\n\n;", #"unexpected ";" in f:3"#),
    .refused("{", #"unexpected "{" in f:1"#),
    .refused("a;}", #"unexpected "}" in f:1"#),
    .accepted("a{b;}", [["a"], ["b"]]),
    .accepted("a {}", [["a"]]),
    .refused("a {", #"unexpected end of file, expecting "}" in f:1"#),
    .refused("a { b }", #"unexpected "}" in f:1"#),
    .accepted("a { b; }", [["a"], ["b"]]),
    .accepted("a b}c;", [["a", "b}c"]]),
    .accepted("# x\na; # y", [["a"]]),
    .accepted("a#b c;", [["a#b", "c"]]),
    .accepted("a #b;\nc;", [["a", "c"]]),
    .refused("a #b;", #"unexpected end of file, expecting ";" or "}" in f:1"#),
    .accepted(#"a "b;{}#" 'c d';"#, [["a", "b;{}#", "c d"]]),
    .accepted("a \"b\nc\";", [["a", "b\nc"]]),
    .accepted("a '' \"\";", [["a", "", ""]]),
    .accepted(#"a b"c"d;"#, [["a", #"b"c"d"#]]),
    .refused(#"a "b"c;"#, #"unexpected "c" in f:1"#),
    .accepted(#"a "b")c;"#, [["a", "b", ")c"]]),
    .accepted(#"a "b"{c;}"#, [["a", "b"], ["c"]]),
    .refused(#"a "b"};"#, #"unexpected "}" in f:1"#),
    .refused(#"a "b;"#, #"unexpected end of file, expecting ";" or "}" in f:1"#),
    .refused("a 'b;\n", #"unexpected end of file, expecting ";" or "}" in f:2"#),
    .accepted(#"a \;b;"#, [["a", #"\;b"#]]),
    .accepted(#"a b\ c;"#, [["a", #"b\ c"#]]),
    .accepted(#"a b\"c\'d\\e;"#, [["a", #"b"c'd\e"#]]),
    .accepted(#"a "\t\r\n\.\x";"#, [["a", "\t\r\n\\.\\x"]]),
    .accepted(#"a "b\"c" 'd\'e';"#, [["a", #"b"c"#, "d'e"]]),
    .refused(#"a b\;"#, #"unexpected end of file, expecting ";" or "}" in f:1"#),
    .accepted("a ${b};", [["a", "${b}"]]),
    .accepted("a x${b}y;", [["a", "x${b}y"]]),
    .accepted("a $b{c;}", [["a", "$b"], ["c"]]),
    .accepted(#"a "${b}";"#, [["a", "${b}"]]),
    .accepted("a \(String(repeating: "x", count: 4095));", [["a", String(repeating: "x", count: 4095)]]),
    .refused("a \(String(repeating: "x", count: 4096));", #"too long parameter "xxxxxxxxxx..." started in f:1"#),
    .accepted("a \"\(String(repeating: "x", count: 4094))\";", [["a", String(repeating: "x", count: 4094)]]),
    .refused(
        "\n\na \"\n\(String(repeating: "x", count: 4096))\";", #"too long parameter, probably missing terminating """ character in f:3"#),
    .refused("a '\(String(repeating: "x", count: 4096))';", "too long parameter, probably missing terminating \"'\" character in f:1"),
    .accepted("#\(String(repeating: "x", count: 4094))\na;", [["a"]]),
    .refused("\n#\(String(repeating: "x", count: 4095))\na;", ##"too long parameter "#xxxxxxxxx..." started in f:2"##),
]

@Suite struct StatementReaderTests {
    @Test(arguments: grammarCases) func `words end where nginx ends them`(example: GrammarCase) throws {
        if let message = example.message {
            let error = #expect(throws: NginxError.self) { try NginxSyntaxTree(parsing: example.text.utf8, file: "f") }
            #expect(error?.code == .syntax)
            #expect(error?.description == message)
        } else {
            let tree = try NginxSyntaxTree(parsing: example.text.utf8, file: "f")
            #expect(tree.nodes.filter { !$0.isComment }.map { $0.words.map(\.text) } == example.words)
        }
    }

    @Test func `bytes that are no text survive`() throws {
        let tree = try NginxSyntaxTree(parsing: [UInt8(ascii: "a"), 0x20, 0xFF, 0xC3, 0x00, UInt8(ascii: ";")])
        #expect(tree.nodes.first?.words.last?.bytes == [0xFF, 0xC3, 0x00])
    }

    @Test func `a word knows its line and its quotes, a statement where it ends`() throws {
        let tree = try NginxSyntaxTree(parsing: "a\n'b'\n\"c\"\n;".utf8, file: "f")
        #expect(tree.nodes[0].words.map(\.line) == [1, 2, 3])
        #expect(tree.nodes[0].words.map(\.quoting) == [.none, .single, .double])
        #expect(tree.nodes[0].place == NginxPlace(file: "f", line: 4))
    }

    @Test func `comments are kept where they stand`() throws {
        let tree = try NginxSyntaxTree(parsing: "# one\na { # two\n b # three\n c;\n} # four".utf8)
        #expect(tree.nodes.map(\.isComment) == [true, false, true, false, true])
        #expect(tree.nodes[2].comments.map { String(decoding: $0.comment.bytes, as: UTF8.self) } == ["# two"])
        #expect(tree.nodes[2].parent == 1)
        #expect(tree.nodes[3].comments.map(\.wordsBefore) == [1])
        #expect(tree.nodes[4].parent == nil)
        #expect(tree.nodes[1].end == 4)
    }

    @Test func `a hundred thousand blocks within each other need no stack`() throws {
        let depth = 100_000
        let tree = try NginxSyntaxTree(parsing: (String(repeating: "a{", count: depth) + String(repeating: "}", count: depth)).utf8)
        #expect(tree.nodes.count == depth)
        #expect(tree.nodes[0].end == depth)
        let error = #expect(throws: NginxError.self) { try NginxSyntaxTree(parsing: String(repeating: "a{", count: depth).utf8) }
        #expect(error?.code == .syntax)
    }

    @Test func `any bytes are read or refused, and what is read is what was written`() throws {
        var random = SplitMix(state: 20_261_125)
        let alphabet = Array("ab \t\r\n;{}#'\"\\$)n".utf8) + [0, 0xFF]
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            guard let tree = try? NginxSyntaxTree(parsing: bytes) else { continue }
            for node in tree.nodes where !node.isComment {
                let written = node.words.map { QuotedWord.bytes(of: $0.bytes) }.joined(separator: [UInt8(ascii: " ")])
                let again = try NginxSyntaxTree(parsing: Array(written) + [UInt8(ascii: ";")])
                #expect(again.nodes.first?.words.map(\.bytes) == node.words.map(\.bytes), "\(bytes)")
            }
        }
    }
}

/// SplitMix64, seeded: the same choices in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
