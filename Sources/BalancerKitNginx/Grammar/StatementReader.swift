/// Cuts a file into statements: words up to `;` or `{`, or a lone `}`.
///
/// It is nginx's own automaton, byte by byte, with its limit and its messages (`ngx_conf_read_token` in `ngx_conf_file.c`):
/// - space, tab, CR and LF separate words; `;` and `{` end a statement; `}` is one;
/// - `#` begins a comment, and quotes a quoted word, only where a word could begin;
/// - `\` takes the next byte with it, whatever it is;
/// - after a closing quote only a separator, `;`, `{` or `)` may follow;
/// - `{` after `$` belongs to the word, as in `${name}`.
struct StatementReader {
    /// How a statement ends.
    enum Ending { case semicolon, blockStart, blockEnd, fileEnd }

    struct Statement {
        var ending: Ending
        var words: [NginxWord] = []
        /// Comments before the end of the statement, and how many words stand before each.
        var comments: [(comment: NginxComment, wordsBefore: Int)] = []
        /// Where it ends, which is the place that nginx names.
        var line: Int
    }

    /// Bytes from the beginning of a word within which it must end: nginx's NGX_CONF_BUFFER.
    static let longestWord = 4096

    private enum Mode {
        /// Between words.
        case space
        case word
        case singleQuoted, doubleQuoted
        /// Behind a closing quote.
        case afterQuote
        case comment
    }

    let file: String
    private let bytes: [UInt8]
    private var position = 0
    private(set) var line = 1

    private var mode = Mode.space
    private var start = 0
    private var startLine = 1
    private var isEscaped = false
    private var followsDollar = false
    private var statement = Statement(ending: .fileEnd, line: 1)

    init(_ bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// Reads the next statement. O(its length).
    mutating func next() throws(NginxError) -> Statement {
        self.mode = .space
        self.start = self.position
        self.startLine = self.line
        self.isEscaped = false
        self.followsDollar = false
        self.statement = Statement(ending: .fileEnd, line: self.line)
        while self.position < self.bytes.count {
            guard self.position - self.start < Self.longestWord else { throw self.tooLong() }
            let byte = self.bytes[self.position]
            self.position += 1
            if byte == .lineFeed { self.line += 1 }
            guard let ending = try self.take(byte) else { continue }
            self.statement.ending = ending
            self.statement.line = self.line
            return self.statement
        }
        return try self.end()
    }

    private mutating func end() throws(NginxError) -> Statement {
        switch self.mode {
        case .comment: self.keepComment(upTo: self.position)
        case .space: break
        case .word, .singleQuoted, .doubleQuoted, .afterQuote: throw self.error(#"unexpected end of file, expecting ";" or "}""#)
        }
        guard self.statement.words.isEmpty else { throw self.error(#"unexpected end of file, expecting ";" or "}""#) }
        self.statement.line = self.line
        return self.statement
    }

    private mutating func take(_ byte: UInt8) throws(NginxError) -> Ending? {
        if self.mode == .comment {
            guard byte == .lineFeed else { return nil }
            self.keepComment(upTo: self.position - 1)
            return try self.begin(byte)
        }
        if self.isEscaped {
            self.isEscaped = false
            return nil
        }
        switch self.mode {
        case .space: return try self.begin(byte)
        case .afterQuote: return try self.follow(byte)
        case .word, .singleQuoted, .doubleQuoted, .comment: return self.go(on: byte)
        }
    }

    /// A byte behind a closing quote.
    private mutating func follow(_ byte: UInt8) throws(NginxError) -> Ending? {
        switch byte {
        case .space, .tab, .carriageReturn, .lineFeed:
            self.mode = .space
            return nil
        case .semicolon: return .semicolon
        case .openBrace: return .blockStart
        case .closeParenthesis: return try self.begin(byte)
        default: throw self.unexpected(byte)
        }
    }

    /// A byte where a word could begin.
    private mutating func begin(_ byte: UInt8) throws(NginxError) -> Ending? {
        self.start = self.position - 1
        self.startLine = self.line
        switch byte {
        case .space, .tab, .carriageReturn, .lineFeed: self.mode = .space
        case .semicolon, .openBrace:
            guard !self.statement.words.isEmpty else { throw self.unexpected(byte) }
            return byte == .semicolon ? .semicolon : .blockStart
        case .closeBrace:
            guard self.statement.words.isEmpty else { throw self.unexpected(byte) }
            return .blockEnd
        case .numberSign: self.mode = .comment
        case .backslash:
            self.mode = .word
            self.isEscaped = true
        case .doubleQuote, .singleQuote:
            self.mode = byte == .doubleQuote ? .doubleQuoted : .singleQuoted
            self.start += 1
        case .dollar:
            self.mode = .word
            self.followsDollar = true
        default: self.mode = .word
        }
        return nil
    }

    /// A byte within a word.
    private mutating func go(on byte: UInt8) -> Ending? {
        if byte == .openBrace, self.followsDollar { return nil }
        self.followsDollar = byte == .dollar
        if byte == .backslash { self.isEscaped = true }
        guard !self.isEscaped, !self.followsDollar else { return nil }
        switch self.mode {
        case .doubleQuoted where byte == .doubleQuote: self.keepWord(.double, then: .afterQuote)
        case .singleQuoted where byte == .singleQuote: self.keepWord(.single, then: .afterQuote)
        case .word:
            switch byte {
            case .space, .tab, .carriageReturn, .lineFeed: self.keepWord(.none, then: .space)
            case .semicolon:
                self.keepWord(.none, then: .space)
                return .semicolon
            case .openBrace:
                self.keepWord(.none, then: .space)
                return .blockStart
            default: break
            }
        case .space, .singleQuoted, .doubleQuoted, .afterQuote, .comment: break
        }
        return nil
    }

    private mutating func keepWord(_ quoting: NginxWord.Quoting, then mode: Mode) {
        let meaning = Self.unescaped(self.bytes[self.start..<(self.position - 1)])
        self.statement.words.append(NginxWord(bytes: meaning, quoting: quoting, line: self.startLine))
        self.mode = mode
    }

    private mutating func keepComment(upTo end: Int) {
        let comment = NginxComment(bytes: Array(self.bytes[self.start..<end]), line: self.startLine)
        self.statement.comments.append((comment, self.statement.words.count))
    }

    private static func unescaped(_ raw: ArraySlice<UInt8>) -> [UInt8] {
        guard raw.contains(.backslash) else { return Array(raw) }
        var meaning: [UInt8] = []
        var index = raw.startIndex
        while index < raw.endIndex {
            if raw[index] == .backslash, index + 1 < raw.endIndex, let byte = Self.meaning(ofEscaped: raw[index + 1]) {
                meaning.append(byte)
                index += 2
            } else {
                meaning.append(raw[index])
                index += 1
            }
        }
        return meaning
    }

    private static func meaning(ofEscaped byte: UInt8) -> UInt8? {
        switch byte {
        case .doubleQuote, .singleQuote, .backslash: byte
        case UInt8(ascii: "t"): .tab
        case UInt8(ascii: "r"): .carriageReturn
        case UInt8(ascii: "n"): .lineFeed
        default: nil
        }
    }
}

// MARK: - Errors

extension StatementReader {
    func error(_ message: String) -> NginxError {
        NginxError(code: .syntax, message: message, place: NginxPlace(file: self.file, line: self.line))
    }

    private func unexpected(_ byte: UInt8) -> NginxError {
        self.error("unexpected \"\(String(decoding: [byte], as: UTF8.self))\"")
    }

    /// Its place is where the word begins, since its end was not found.
    private func tooLong() -> NginxError {
        let place = NginxPlace(file: self.file, line: self.startLine)
        let message =
            switch self.mode {
            case .doubleQuoted: #"too long parameter, probably missing terminating """ character"#
            case .singleQuoted: #"too long parameter, probably missing terminating "'" character"#
            case .space, .word, .afterQuote, .comment:
                "too long parameter \"\(String(decoding: self.bytes[self.start...].prefix(10), as: UTF8.self))...\" started"
            }
        return NginxError(code: .syntax, message: message, place: place)
    }
}

extension UInt8 {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let semicolon = UInt8(ascii: ";")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let closeParenthesis = UInt8(ascii: ")")
    static let numberSign = UInt8(ascii: "#")
    static let backslash = UInt8(ascii: "\\")
    static let doubleQuote = UInt8(ascii: "\"")
    static let singleQuote = UInt8(ascii: "'")
    static let dollar = UInt8(ascii: "$")
}
