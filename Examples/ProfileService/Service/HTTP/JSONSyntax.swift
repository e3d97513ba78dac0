/// Whether bytes are JSON to the letter of RFC 8259.
///
/// Foundation's decoder takes more: a comma before a closing bracket, and whatever begins like a number in a field that nobody decodes.
/// Beyond the grammar, half a surrogate pair is refused, since no text holds it. Time is linear, and nesting costs a byte a level.
struct JSONSyntax {
    private let bytes: [UInt8]
    private var position = 0
    /// The brackets that are to close what is open.
    private var closing: [UInt8] = []

    /// - Parameter bytes: a document that is known to be UTF-8.
    static func accepts(_ bytes: [UInt8]) -> Bool {
        var syntax = JSONSyntax(bytes: bytes)
        return syntax.document()
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func document() -> Bool {
        repeat {
            guard let hasBegun = self.value() else { return false }
            if hasBegun { continue }
            guard self.afterValue() else { return false }
        } while !self.closing.isEmpty
        self.skipSpace()
        return self.position == self.bytes.count
    }

    /// Takes a value, or the beginning of one that holds another: true then, and the next value is to follow. Nil when there is none.
    private mutating func value() -> Bool? {
        self.skipSpace()
        switch self.current {
        case UInt8(ascii: "{"): return self.begin(until: UInt8(ascii: "}"))
        case UInt8(ascii: "["): return self.begin(until: UInt8(ascii: "]"))
        case UInt8(ascii: "\""): return self.string() ? false : nil
        case UInt8(ascii: "t"): return self.word("true") ? false : nil
        case UInt8(ascii: "f"): return self.word("false") ? false : nil
        case UInt8(ascii: "n"): return self.word("null") ? false : nil
        default: return self.number() ? false : nil
        }
    }

    private mutating func begin(until end: UInt8) -> Bool? {
        self.position += 1
        self.skipSpace()
        if self.take(end) { return false }
        self.closing.append(end)
        return self.memberName() ? true : nil
    }

    /// After a value: closes what ends there; true when all is closed, or a comma announces another value.
    private mutating func afterValue() -> Bool {
        while let end = self.closing.last {
            self.skipSpace()
            if self.take(end) {
                self.closing.removeLast()
            } else {
                return self.take(UInt8(ascii: ",")) && self.memberName()
            }
        }
        return true
    }

    /// In an object, takes the name and the colon before a value; in an array there is nothing to take.
    private mutating func memberName() -> Bool {
        guard self.closing.last == UInt8(ascii: "}") else { return true }
        self.skipSpace()
        guard self.current == UInt8(ascii: "\""), self.string() else { return false }
        self.skipSpace()
        return self.take(UInt8(ascii: ":"))
    }

    // MARK: Numbers and words

    private mutating func number() -> Bool {
        _ = self.take(UInt8(ascii: "-"))
        if !self.take(UInt8(ascii: "0")) {
            guard self.digits() else { return false }
        }
        if self.take(UInt8(ascii: ".")) {
            guard self.digits() else { return false }
        }
        if self.take(UInt8(ascii: "e")) || self.take(UInt8(ascii: "E")) {
            _ = self.take(UInt8(ascii: "+")) || self.take(UInt8(ascii: "-"))
            guard self.digits() else { return false }
        }
        return true
    }

    private mutating func digits() -> Bool {
        let start = self.position
        while let byte = self.current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { self.position += 1 }
        return self.position > start
    }

    private mutating func word(_ word: String) -> Bool {
        word.utf8.allSatisfy { self.take($0) }
    }

    // MARK: Strings

    private mutating func string() -> Bool {
        self.position += 1
        while let byte = self.current {
            self.position += 1
            switch byte {
            case UInt8(ascii: "\""): return true
            case UInt8(ascii: "\\"): guard self.escape() else { return false }
            case 0..<0x20: return false
            default: break
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        guard let byte = self.current else { return false }
        self.position += 1
        guard byte == UInt8(ascii: "u") else { return #""\/bfnrt"#.utf8.contains(byte) }
        guard let unit = self.hexUnit() else { return false }
        switch unit {
        case 0xD800...0xDBFF:
            guard self.take(UInt8(ascii: "\\")), self.take(UInt8(ascii: "u")), let low = self.hexUnit() else { return false }
            return (0xDC00...0xDFFF).contains(low)
        case 0xDC00...0xDFFF:
            return false
        default:
            return true
        }
    }

    private mutating func hexUnit() -> UInt16? {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = self.current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
            self.position += 1
        }
        return unit
    }

    // MARK: Bytes

    private var current: UInt8? {
        self.position < self.bytes.count ? self.bytes[self.position] : nil
    }

    /// Takes the byte if it comes next.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard self.current == byte else { return false }
        self.position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = self.current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { self.position += 1 }
    }
}
