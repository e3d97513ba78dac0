/// A pattern for names of nodes, from outside: a shell's, as Python's `fnmatch`, or a regular expression, as its `re.match`.
///
/// Whoever sends it must not be able to occupy a thread with it, and a matcher that tries one way after the other can be. So the set of all
/// positions that a part can reach is carried through the pattern: time is at most (pattern × name²), memory (name).
///
/// Of regular expressions it knows literals, `.`, `[…]`, `*`, `+`, `?`, `|`, groups, `^`, `$` and `\d \w \s` with their opposites. A pattern
/// with anything else matches nothing.
struct NodePattern {
    private indirect enum Part {
        case empty
        case one((Unicode.Scalar) -> Bool)
        case start
        case end
        case sequence([Part])
        case either([Part])
        case optional(Part)
        /// Any number of times.
        case many(Part)
    }

    private static let maximumLength = 256
    private static let maximumDepth = 16

    private let part: Part

    /// `nil` when it is too long.
    init?(glob: String) {
        var scanner = Scanner(glob)
        guard scanner.scalars.count <= Self.maximumLength else { return nil }
        var parts: [Part] = []
        while let scalar = scanner.next() {
            switch scalar {
            case "*": parts.append(.many(.one { _ in true }))
            case "?": parts.append(.one { _ in true })
            case "[":
                let rest = scanner
                if let set = scanner.set(negation: "!", escapes: false) {
                    parts.append(.one(set))
                } else {
                    // A bracket that nothing closes stands for itself.
                    scanner = rest
                    parts.append(.one { $0 == "[" })
                }
            default: parts.append(.one { $0 == scalar })
            }
        }
        self.part = .sequence(parts + [.end])
    }

    /// `nil` when it is too long, malformed, or uses what is not known here.
    init?(regularExpression: String) {
        var scanner = Scanner(regularExpression)
        guard scanner.scalars.count <= Self.maximumLength, let part = Self.alternatives(&scanner, depth: 0), scanner.isAtEnd else {
            return nil
        }
        self.part = part
    }

    /// Whether the pattern matches from the name's beginning.
    func matches(_ name: String) -> Bool {
        let scalars = Array(name.unicodeScalars)
        return !Self.reach(self.part, from: [0], scalars).isEmpty
    }

    /// The positions that are reached from any of those.
    private static func reach(_ part: Part, from positions: Set<Int>, _ name: [Unicode.Scalar]) -> Set<Int> {
        if positions.isEmpty { return [] }
        switch part {
        case .empty: return positions
        case .one(let test): return Set(positions.lazy.filter { $0 < name.count && test(name[$0]) }.map { $0 + 1 })
        case .start: return positions.intersection([0])
        case .end: return positions.intersection([name.count])
        case .sequence(let parts): return parts.reduce(positions) { self.reach($1, from: $0, name) }
        case .either(let parts): return parts.reduce(into: []) { $0.formUnion(self.reach($1, from: positions, name)) }
        case .optional(let part): return positions.union(self.reach(part, from: positions, name))
        case .many(let part):
            var (all, new) = (positions, positions)
            while !new.isEmpty {
                new = self.reach(part, from: new, name).subtracting(all)
                all.formUnion(new)
            }
            return all
        }
    }

    // MARK: Regular expressions

    private static func alternatives(_ scanner: inout Scanner, depth: Int) -> Part? {
        guard depth < Self.maximumDepth else { return nil }
        var choices: [Part] = []
        repeat {
            guard let choice = self.sequence(&scanner, depth: depth) else { return nil }
            choices.append(choice)
        } while scanner.take("|")
        return choices.count == 1 ? choices[0] : .either(choices)
    }

    private static func sequence(_ scanner: inout Scanner, depth: Int) -> Part? {
        var parts: [Part] = []
        while let scalar = scanner.peek, scalar != "|", scalar != ")" {
            guard var part = self.atom(&scanner, depth: depth) else { return nil }
            if scanner.take("*") {
                part = .many(part)
            } else if scanner.take("+") {
                part = .sequence([part, .many(part)])
            } else if scanner.take("?") {
                part = .optional(part)
            }
            // Whether it takes much or little first makes no difference to whether it matches.
            _ = scanner.take("?")
            parts.append(part)
        }
        return .sequence(parts)
    }

    private static func atom(_ scanner: inout Scanner, depth: Int) -> Part? {
        guard let scalar = scanner.next() else { return nil }
        switch scalar {
        case ".": return .one { $0 != "\n" }
        case "^": return .start
        case "$": return .end
        case "*", "+", "?", "{": return nil
        case "[": return scanner.set(negation: "^", escapes: true).map { .one($0) }
        case "\\": return scanner.escape().map { .one($0) }
        case "(":
            if scanner.take("?"), !scanner.take(":") { return nil }
            guard let group = self.alternatives(&scanner, depth: depth + 1), scanner.take(")") else { return nil }
            return group
        default: return .one { $0 == scalar }
        }
    }
}

/// Reads a pattern.
private struct Scanner {
    let scalars: [Unicode.Scalar]
    private var position = 0

    init(_ text: String) {
        self.scalars = Array(text.unicodeScalars)
    }

    var isAtEnd: Bool { self.position >= self.scalars.count }
    var peek: Unicode.Scalar? { self.isAtEnd ? nil : self.scalars[self.position] }

    mutating func next() -> Unicode.Scalar? {
        guard let scalar = self.peek else { return nil }
        self.position += 1
        return scalar
    }

    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard self.peek == scalar else { return false }
        self.position += 1
        return true
    }

    /// The rest of a set in brackets; `nil` when nothing closes it. A closing bracket in the first place stands for itself.
    mutating func set(negation: Unicode.Scalar, escapes: Bool) -> ((Unicode.Scalar) -> Bool)? {
        let isNegative = self.take(negation)
        var tests: [(Unicode.Scalar) -> Bool] = []
        var isFirst = true
        while let scalar = self.next() {
            if scalar == "]", !isFirst {
                return { value in tests.contains { $0(value) } != isNegative }
            }
            isFirst = false
            if escapes, scalar == "\\" {
                guard let test = self.escape() else { return nil }
                tests.append(test)
            } else if self.peek == "-", self.position + 1 < self.scalars.count, self.scalars[self.position + 1] != "]" {
                self.position += 1
                guard let last = self.next() else { return nil }
                tests.append { scalar <= $0 && $0 <= last }
            } else {
                tests.append { $0 == scalar }
            }
        }
        return nil
    }

    /// What follows a backslash. A letter or digit that has a meaning which is not known here is none.
    mutating func escape() -> ((Unicode.Scalar) -> Bool)? {
        func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
        func isWord(_ scalar: Unicode.Scalar) -> Bool { scalar == "_" || scalar.properties.isAlphabetic || isDigit(scalar) }
        func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }
        guard let scalar = self.next() else { return nil }
        switch scalar {
        case "d": return isDigit
        case "D": return { !isDigit($0) }
        case "w": return isWord
        case "W": return { !isWord($0) }
        case "s": return isSpace
        case "S": return { !isSpace($0) }
        default: return scalar.isASCII && (isDigit(scalar) || isWord(scalar)) ? nil : { $0 == scalar }
        }
    }
}
