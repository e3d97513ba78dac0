/// Writes directives, one a line, indented by their blocks.
struct DirectiveWriter {
    private(set) var text = ""
    private var depth = 0

    mutating func write(_ words: String...) {
        self.write(words)
    }

    mutating func write(_ words: [String]) {
        self.line(words.map(QuotedWord.text).joined(separator: " ") + ";")
    }

    mutating func block(_ words: String..., contents: (inout DirectiveWriter) throws(NginxError) -> Void) throws(NginxError) {
        try self.block(words, contents: contents)
    }

    mutating func block(_ words: [String], contents: (inout DirectiveWriter) throws(NginxError) -> Void) throws(NginxError) {
        self.line(words.map(QuotedWord.text).joined(separator: " ") + " {")
        self.depth += 1
        try contents(&self)
        self.depth -= 1
        self.line("}")
    }

    /// Begins a block that ``close()`` ends.
    mutating func open(_ words: String...) {
        self.open(words)
    }

    mutating func open(_ words: [String]) {
        self.line(words.map(QuotedWord.text).joined(separator: " ") + " {")
        self.depth += 1
    }

    mutating func close() {
        self.depth -= 1
        self.line("}")
    }

    mutating func comment(_ text: String) {
        self.line("# " + text.onOneLine)
    }

    mutating func separate() {
        self.text += "\n"
    }

    private mutating func line(_ text: String) {
        self.text += String(repeating: "    ", count: self.depth) + text + "\n"
    }
}
