/// A set of bytes.
struct ByteSet: Sendable, Hashable {
    private var words = SIMD4<UInt64>()

    static let all = ByteSet().inverted

    init() {}

    init(_ ranges: ClosedRange<UInt8>...) {
        for range in ranges { self.insert(range) }
    }

    @inline(__always) func contains(_ byte: UInt8) -> Bool {
        self.words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1
    }

    mutating func insert(_ byte: UInt8) {
        self.words[Int(byte >> 6)] |= 1 << UInt64(byte & 63)
    }

    mutating func insert(_ range: ClosedRange<UInt8>) {
        for byte in range { self.insert(byte) }
    }

    mutating func formUnion(_ other: ByteSet) {
        self.words |= other.words
    }

    var inverted: ByteSet {
        var set = self
        set.words = ~self.words
        return set
    }

    /// With the other case of each of its letters.
    var ignoringCase: ByteSet {
        var set = self
        for letter in UInt8(ascii: "a")...UInt8(ascii: "z") where self.contains(letter) || self.contains(letter - 32) {
            set.insert(letter)
            set.insert(letter - 32)
        }
        return set
    }

    static let digit = ByteSet(UInt8(ascii: "0")...UInt8(ascii: "9"))
    static let space = ByteSet(9...13, 32...32)
    static let lower = ByteSet(UInt8(ascii: "a")...UInt8(ascii: "z"))
    static let upper = ByteSet(UInt8(ascii: "A")...UInt8(ascii: "Z"))
    static let letter = lower.union(upper)
    static let word = letter.union(digit).union(ByteSet(UInt8(ascii: "_")...UInt8(ascii: "_")))

    func union(_ other: ByteSet) -> ByteSet {
        var set = self
        set.formUnion(other)
        return set
    }

    /// POSIX classes by name.
    static func named(_ name: String) -> ByteSet? {
        switch name {
        case "alpha": letter
        case "digit": digit
        case "alnum": letter.union(digit)
        case "lower": lower
        case "upper": upper
        case "space": space
        case "blank": ByteSet(9...9, 32...32)
        case "punct": ByteSet(33...47, 58...64, 91...96, 123...126)
        case "xdigit": ByteSet(48...57, 65...70, 97...102)
        case "word": word
        case "print": ByteSet(32...126)
        case "graph": ByteSet(33...126)
        case "cntrl": ByteSet(0...31, 127...127)
        default: nil
        }
    }
}

/// What a pattern says.
indirect enum ExpressionNode: Sendable {
    enum Position: Sendable { case start, end, veryEnd, wordBoundary, noWordBoundary }

    case nothing
    case byte(ByteSet)
    case sequence([ExpressionNode])
    case alternatives([ExpressionNode])
    /// With the number of its group; nil does not capture.
    case group(ExpressionNode, Int?)
    case repetition(ExpressionNode, least: Int, most: Int?, isLazy: Bool)
    case position(Position)
    case ahead(ExpressionNode, isNegative: Bool)
}

/// Reads a pattern, byte by byte. Groups may lie 100 deep, so that no pattern exhausts a stack.
struct ExpressionParser {
    private static let deepest = 100

    private let bytes: [UInt8]
    private var index = 0
    private var ignoresCase: Bool
    private var depth = 0
    private(set) var groupCount = 0
    private(set) var names: [String: Int] = [:]

    init(_ bytes: [UInt8], ignoresCase: Bool) {
        self.bytes = bytes
        self.ignoresCase = ignoresCase
    }

    mutating func parse() throws(ProxyError) -> ExpressionNode {
        let node = try self.alternatives()
        guard self.index == self.bytes.count else { throw self.error("unmatched closing parenthesis") }
        return node
    }

    private func error(_ why: String) -> ProxyError {
        .invalidExpression(String(decoding: self.bytes, as: UTF8.self), why)
    }

    private var next: UInt8? { self.index < self.bytes.count ? self.bytes[self.index] : nil }

    private mutating func take(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard self.bytes.count - self.index >= count else { return false }
        for offset in 0..<count where self.bytes[self.index + offset] != text.utf8Start[offset] { return false }
        self.index += count
        return true
    }

    private mutating func alternatives() throws(ProxyError) -> ExpressionNode {
        self.depth += 1
        guard self.depth <= Self.deepest else { throw self.error("groups nested too deep") }
        // `(?i)` holds to the end of its group.
        let ignoresCase = self.ignoresCase
        defer {
            self.depth -= 1
            self.ignoresCase = ignoresCase
        }
        var choices: [ExpressionNode] = [try self.sequence()]
        while self.take("|") { choices.append(try self.sequence()) }
        return choices.count == 1 ? choices[0] : .alternatives(choices)
    }

    private mutating func sequence() throws(ProxyError) -> ExpressionNode {
        var nodes: [ExpressionNode] = []
        while let byte = self.next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
            let atom = try self.atom()
            nodes.append(try self.repeated(atom))
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func repeated(_ atom: ExpressionNode) throws(ProxyError) -> ExpressionNode {
        guard let (least, most) = try self.count() else { return atom }
        if case .position = atom { throw self.error("nothing to repeat") }
        let isLazy = self.take("?")
        guard !self.take("+") else { throw self.error("possessive repetition is not supported") }
        guard try self.count() == nil else { throw self.error("nothing to repeat") }
        return .repetition(atom, least: least, most: most, isLazy: isLazy)
    }

    /// `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`; other braces are literal, as in PCRE.
    private mutating func count() throws(ProxyError) -> (least: Int, most: Int?)? {
        if self.take("*") { return (0, nil) }
        if self.take("+") { return (1, nil) }
        if self.take("?") { return (0, 1) }
        guard self.next == UInt8(ascii: "{") else { return nil }
        let start = self.index
        self.index += 1
        guard let least = self.number() else {
            self.index = start
            return nil
        }
        var most: Int? = least
        if self.take(",") { most = self.number() }
        guard self.take("}") else {
            self.index = start
            return nil
        }
        guard least <= 1000, (most ?? least) <= 1000, (most ?? least) >= least else { throw self.error("a repetition out of bounds") }
        return (least, most)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let byte = self.next, ByteClass.isDigit(byte) {
            value = min((value ?? 0) * 10 + Int(byte - UInt8(ascii: "0")), 100_000)
            self.index += 1
        }
        return value
    }

    // MARK: Atoms

    private mutating func atom() throws(ProxyError) -> ExpressionNode {
        let byte = self.bytes[self.index]
        self.index += 1
        switch byte {
        case UInt8(ascii: "("): return try self.group()
        case UInt8(ascii: "["): return .byte(self.folded(try self.set()))
        case UInt8(ascii: "."): return .byte(ByteSet(10...10).inverted)
        case UInt8(ascii: "^"): return .position(.start)
        case UInt8(ascii: "$"): return .position(.end)
        case UInt8(ascii: "\\"): return try self.escape()
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw self.error("nothing to repeat")
        default: return self.literal(byte)
        }
    }

    private func literal(_ byte: UInt8) -> ExpressionNode { .byte(self.folded(ByteSet(byte...byte))) }

    private func folded(_ set: ByteSet) -> ByteSet { self.ignoresCase ? set.ignoringCase : set }

    private mutating func group() throws(ProxyError) -> ExpressionNode {
        if self.take("?:") { return try self.closed(.group(try self.alternatives(), nil)) }
        if self.take("?=") { return try self.closed(.ahead(try self.alternatives(), isNegative: false)) }
        if self.take("?!") { return try self.closed(.ahead(try self.alternatives(), isNegative: true)) }
        if self.take("?i)") {
            self.ignoresCase = true
            return .nothing
        }
        if self.take("?i:") {
            let outer = self.ignoresCase
            self.ignoresCase = true
            let node = try self.alternatives()
            self.ignoresCase = outer
            return try self.closed(.group(node, nil))
        }
        guard !self.take("?<=") && !self.take("?<!") else { throw self.error("lookbehind is not supported") }
        self.groupCount += 1
        let number = self.groupCount
        if self.take("?<") || self.take("?P<") {
            guard let end = self.bytes[self.index...].firstIndex(of: UInt8(ascii: ">")), end > self.index else {
                throw self.error("a group's name without end")
            }
            self.names[String(decoding: self.bytes[self.index..<end], as: UTF8.self)] = number
            self.index = end + 1
        } else if self.next == UInt8(ascii: "?") || self.next == UInt8(ascii: "*") {
            throw self.error("this kind of group is not supported")
        }
        return try self.closed(.group(try self.alternatives(), number))
    }

    private mutating func closed(_ node: ExpressionNode) throws(ProxyError) -> ExpressionNode {
        guard self.take(")") else { throw self.error("missing closing parenthesis") }
        return node
    }

    private mutating func escape() throws(ProxyError) -> ExpressionNode {
        switch self.next {
        case nil: throw self.error("a backslash at the end")
        case UInt8(ascii: "b"): return self.skip(.position(.wordBoundary))
        case UInt8(ascii: "B"): return self.skip(.position(.noWordBoundary))
        case UInt8(ascii: "A"): return self.skip(.position(.start))
        case UInt8(ascii: "Z"): return self.skip(.position(.end))
        case UInt8(ascii: "z"): return self.skip(.position(.veryEnd))
        default: return .byte(self.folded(try self.escapedSet()))
        }
    }

    private mutating func skip(_ node: ExpressionNode) -> ExpressionNode {
        self.index += 1
        return node
    }

    /// What stands behind a backslash, in a class as well.
    private mutating func escapedSet() throws(ProxyError) -> ByteSet {
        guard let byte = self.next else { throw self.error("a backslash at the end") }
        self.index += 1
        switch byte {
        case UInt8(ascii: "d"): return .digit
        case UInt8(ascii: "D"): return ByteSet.digit.inverted
        case UInt8(ascii: "w"): return .word
        case UInt8(ascii: "W"): return ByteSet.word.inverted
        case UInt8(ascii: "s"): return .space
        case UInt8(ascii: "S"): return ByteSet.space.inverted
        case UInt8(ascii: "t"): return ByteSet(9...9)
        case UInt8(ascii: "n"): return ByteSet(10...10)
        case UInt8(ascii: "f"): return ByteSet(12...12)
        case UInt8(ascii: "r"): return ByteSet(13...13)
        case UInt8(ascii: "x"):
            var value: UInt8 = 0
            for _ in 0..<2 {
                guard let digit = self.next.flatMap(ByteClass.hexadecimal) else { break }
                value = value << 4 | digit
                self.index += 1
            }
            return ByteSet(value...value)
        case _ where ByteSet.letter.contains(byte) || ByteClass.isDigit(byte):
            throw self.error("\\\(String(decoding: [byte], as: UTF8.self)) is not supported")
        default: return ByteSet(byte...byte)
        }
    }

    private mutating func set() throws(ProxyError) -> ByteSet {
        let isNegative = self.take("^")
        var set = ByteSet()
        var isFirst = true
        while let byte = self.next {
            if byte == UInt8(ascii: "]"), !isFirst {
                self.index += 1
                let folded = self.folded(set)
                return isNegative ? folded.inverted : folded
            }
            isFirst = false
            if try self.takeNamedClass(into: &set) { continue }
            let (lower, single) = try self.element()
            guard let single, self.next == UInt8(ascii: "-"), self.index + 1 < self.bytes.count,
                self.bytes[self.index + 1] != UInt8(ascii: "]")
            else {
                set.formUnion(lower)
                continue
            }
            self.index += 1
            let (upper, last) = try self.element()
            guard let last else {
                set.formUnion(lower.union(upper).union(ByteSet(45...45)))
                continue
            }
            guard single <= last else { throw self.error("a range out of order") }
            set.insert(single...last)
        }
        throw self.error("missing closing bracket")
    }

    private mutating func takeNamedClass(into set: inout ByteSet) throws(ProxyError) -> Bool {
        let start = self.index
        guard self.take("[:") else { return false }
        guard let end = self.bytes[self.index...].firstIndex(of: UInt8(ascii: ":")), end + 1 < self.bytes.count,
            self.bytes[end + 1] == UInt8(ascii: "]")
        else {
            self.index = start
            return false
        }
        guard let named = ByteSet.named(String(decoding: self.bytes[self.index..<end], as: UTF8.self)) else {
            throw self.error("an unknown class")
        }
        set.formUnion(named)
        self.index = end + 2
        return true
    }

    /// One element of a class, and its byte when it is a single one.
    private mutating func element() throws(ProxyError) -> (ByteSet, single: UInt8?) {
        guard let byte = self.next else { throw self.error("missing closing bracket") }
        guard byte == UInt8(ascii: "\\") else {
            self.index += 1
            return (ByteSet(byte...byte), byte)
        }
        self.index += 1
        if self.next == UInt8(ascii: "b") {
            self.index += 1
            return (ByteSet(8...8), 8)
        }
        let set = try self.escapedSet()
        let members = (UInt8.min...UInt8.max).lazy.filter { set.contains($0) }
        guard let first = members.first, members.dropFirst().isEmpty else { return (set, nil) }
        return (set, first)
    }
}
