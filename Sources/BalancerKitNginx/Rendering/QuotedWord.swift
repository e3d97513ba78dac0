/// A word as it must be written so that nginx reads the same bytes.
enum QuotedWord {
    /// Bare where that is safe; else in double quotes, with `\"` and `\\` as the only escapes.
    static func bytes(of word: some Collection<UInt8>) -> [UInt8] {
        guard word.isEmpty || word.contains(where: Self.isRisky) else { return Array(word) }
        var quoted: [UInt8] = [.doubleQuote]
        for byte in word {
            if byte == .doubleQuote || byte == .backslash { quoted.append(.backslash) }
            quoted.append(byte)
        }
        return quoted + [.doubleQuote]
    }

    static func text(of word: String) -> String {
        String(decoding: Self.bytes(of: word.utf8), as: UTF8.self)
    }

    private static func isRisky(_ byte: UInt8) -> Bool {
        switch byte {
        case .space, .tab, .carriageReturn, .lineFeed, .semicolon, .openBrace, .closeBrace, .numberSign, .doubleQuote, .singleQuote,
            .backslash:
            true
        default: false
        }
    }
}
