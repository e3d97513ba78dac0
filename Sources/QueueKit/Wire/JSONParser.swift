/// The bounds within which a JSON document from outside is read.
public struct JSONLimits: Hashable, Sendable {
    /// The longest document in bytes. A longer one is refused before it is looked at.
    public var maximumBytes = 4 * 1024 * 1024
    /// How deep arrays and objects may nest. Each level costs stack: a limit in the thousands is for threads with a large one.
    public var maximumDepth = 128

    public init() {}
}

/// Why a document is not JSON within the limits, and where. Shows no part of the document.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Problem: Hashable, Sendable {
        case tooLarge(limit: Int)
        case tooDeep(limit: Int)
        case unexpectedEnd
        case unexpectedByte
        case invalidNumber
        case invalidString
        case trailingBytes
    }

    public var problem: Problem
    /// The offset in bytes.
    public var offset: Int

    package init(problem: Problem, offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    public var description: String {
        let text =
            switch self.problem {
            case .tooLarge(let limit): "the document is longer than \(limit) bytes"
            case .tooDeep(let limit): "arrays and objects nest deeper than \(limit)"
            case .unexpectedEnd: "the document ends too early"
            case .unexpectedByte: "a byte that cannot stand here"
            case .invalidNumber: "a malformed number"
            case .invalidString: "a malformed string"
            case .trailingBytes: "more bytes after the document"
            }
        return "\(text), at byte \(self.offset)"
    }
}

/// Reads JSON as Python writes it (RFC 8259, plus `NaN`, `Infinity` and `-Infinity`).
///
/// Escaped surrogate pairs become one character and a lone surrogate, which a Swift string cannot hold, becomes U+FFFD. Bytes that
/// are not UTF-8 are refused. Time and memory are linear in the length of the document; nesting and length are bounded by
/// ``JSONLimits``.
public struct JSONParser: Sendable {
    private let bytes: [UInt8]
    private let limits: JSONLimits
    private var position = 0

    private init(_ bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// The document in `bytes`.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = .init()) throws(JSONError) -> JSONValue {
        guard bytes.count <= limits.maximumBytes else {
            throw JSONError(problem: .tooLarge(limit: limits.maximumBytes), offset: limits.maximumBytes)
        }
        var parser = JSONParser(bytes, limits: limits)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.error(.trailingBytes) }
        return value
    }

    /// The document in `text`.
    public static func parse(_ text: String, limits: JSONLimits = .init()) throws(JSONError) -> JSONValue {
        try self.parse(Array(text.utf8), limits: limits)
    }

    private func error(_ problem: JSONError.Problem) -> JSONError {
        JSONError(problem: problem, offset: self.position)
    }

    private var current: UInt8? {
        self.position < self.bytes.count ? self.bytes[self.position] : nil
    }

    private mutating func skipSpace() {
        while let byte = self.current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { self.position += 1 }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        self.skipSpace()
        guard let byte = self.current else { throw self.error(.unexpectedEnd) }
        switch byte {
        case UInt8(ascii: "{"): return try self.object(depth: depth)
        case UInt8(ascii: "["): return try self.array(depth: depth)
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.literal("true", .bool(true))
        case UInt8(ascii: "f"): return try self.literal("false", .bool(false))
        case UInt8(ascii: "n"): return try self.literal("null", .null)
        case UInt8(ascii: "N"): return try self.literal("NaN", .double(.nan))
        case UInt8(ascii: "I"): return try self.literal("Infinity", .double(.infinity))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try self.number()
        default: throw self.error(.unexpectedByte)
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<word.utf8CodeUnitCount {
            guard let byte = self.current else { throw self.error(.unexpectedEnd) }
            guard byte == word.utf8Start[index] else { throw self.error(.unexpectedByte) }
            self.position += 1
        }
        return value
    }

    /// Down to here the values of a message's body have some members as a rule. Room for them further down would let few bytes take much.
    private static let frameDepth = 2

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < self.limits.maximumDepth else { throw self.error(.tooDeep(limit: self.limits.maximumDepth)) }
        self.position += 1
        var elements: [JSONValue] = []
        self.skipSpace()
        if self.current == UInt8(ascii: "]") {
            self.position += 1
            return .array(elements)
        }
        if depth < Self.frameDepth { elements.reserveCapacity(4) }
        while true {
            elements.append(try self.value(depth: depth + 1))
            if try self.endsOrContinues(with: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < self.limits.maximumDepth else { throw self.error(.tooDeep(limit: self.limits.maximumDepth)) }
        self.position += 1
        var object = JSONObject()
        self.skipSpace()
        if self.current == UInt8(ascii: "}") {
            self.position += 1
            return .object(object)
        }
        if depth < Self.frameDepth { object.reserve(4) }
        while true {
            self.skipSpace()
            guard let quote = self.current else { throw self.error(.unexpectedEnd) }
            guard quote == UInt8(ascii: "\"") else { throw self.error(.unexpectedByte) }
            let key = try self.string()
            self.skipSpace()
            guard let colon = self.current else { throw self.error(.unexpectedEnd) }
            guard colon == UInt8(ascii: ":") else { throw self.error(.unexpectedByte) }
            self.position += 1
            object[key] = try self.value(depth: depth + 1)
            if try self.endsOrContinues(with: UInt8(ascii: "}")) { return .object(object) }
        }
    }

    /// After an element: `true` at the closing bracket, `false` at a comma.
    private mutating func endsOrContinues(with end: UInt8) throws(JSONError) -> Bool {
        self.skipSpace()
        guard let byte = self.current else { throw self.error(.unexpectedEnd) }
        guard byte == end || byte == UInt8(ascii: ",") else { throw self.error(.unexpectedByte) }
        self.position += 1
        return byte == end
    }
}

// MARK: - Numbers

extension JSONParser {
    private mutating func number() throws(JSONError) -> JSONValue {
        let start = self.position
        if self.current == UInt8(ascii: "-") {
            self.position += 1
            if self.current == UInt8(ascii: "I") { return try self.literal("Infinity", .double(-.infinity)) }
        }
        let firstDigit = self.position
        let digits = self.digits()
        guard digits > 0, digits == 1 || self.bytes[firstDigit] != UInt8(ascii: "0") else { throw self.error(.invalidNumber) }
        var isInteger = true
        if self.current == UInt8(ascii: ".") {
            isInteger = false
            self.position += 1
            guard self.digits() > 0 else { throw self.error(.invalidNumber) }
        }
        if self.current == UInt8(ascii: "e") || self.current == UInt8(ascii: "E") {
            isInteger = false
            self.position += 1
            if self.current == UInt8(ascii: "+") || self.current == UInt8(ascii: "-") { self.position += 1 }
            guard self.digits() > 0 else { throw self.error(.invalidNumber) }
        }
        let text = String(decoding: self.bytes[start..<self.position], as: UTF8.self)
        if isInteger { return Int64(text).map(JSONValue.integer) ?? .bigInteger(text) }
        guard let value = Double(text) else { throw self.error(.invalidNumber) }
        return .double(value)
    }

    /// Skips digits and says how many.
    private mutating func digits() -> Int {
        let start = self.position
        while let byte = self.current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { self.position += 1 }
        return self.position - start
    }
}

// MARK: - Strings

extension JSONParser {
    private mutating func string() throws(JSONError) -> String {
        self.position += 1
        let start = self.position
        // With escapes, the string's own bytes; without any, the document's serve.
        var unescaped: [UInt8] = []
        var runStart = start
        while let byte = self.current {
            switch byte {
            case UInt8(ascii: "\""):
                let run = self.bytes[runStart..<self.position]
                self.position += 1
                guard runStart > start else { return try self.text(run, at: start) }
                unescaped.append(contentsOf: run)
                return try self.text(unescaped, at: start)
            case UInt8(ascii: "\\"):
                unescaped.append(contentsOf: self.bytes[runStart..<self.position])
                unescaped.append(contentsOf: UTF8.encode(try self.escape()) ?? UTF8.encodedReplacementCharacter)
                runStart = self.position
            case 0..<0x20:
                throw self.error(.invalidString)
            default:
                self.position += 1
            }
        }
        throw self.error(.unexpectedEnd)
    }

    private func text(_ bytes: some Collection<UInt8>, at start: Int) throws(JSONError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw JSONError(problem: .invalidString, offset: start) }
        return text
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        self.position += 1
        guard let byte = self.current else { throw self.error(.unexpectedEnd) }
        self.position += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try self.unicodeEscape()
        default: throw self.error(.invalidString)
        }
    }

    /// The scalar of `\uXXXX`, or of a surrogate pair of them.
    private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let first = try self.hexUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, self.position + 1 < self.bytes.count, self.bytes[self.position] == UInt8(ascii: "\\"),
            self.bytes[self.position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let afterFirst = self.position
        self.position += 2
        let second = try self.hexUnit()
        guard (0xDC00...0xDFFF).contains(second) else {
            // A high surrogate alone: the escape after it is a character of its own.
            self.position = afterFirst
            return "\u{FFFD}"
        }
        let code = 0x10000 + ((UInt32(first) - 0xD800) << 10) + (UInt32(second) - 0xDC00)
        return Unicode.Scalar(code) ?? "\u{FFFD}"
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = self.current else { throw self.error(.unexpectedEnd) }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw self.error(.invalidString)
            }
            unit = unit << 4 | UInt16(digit)
            self.position += 1
        }
        return unit
    }
}
