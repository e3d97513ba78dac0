/// A pattern for names of nodes, from outside: a shell's, as Python's `fnmatch`, or a regular expression, as its `re.match`.
///
/// Whoever sends it must not be able to occupy a thread with it, and a matcher that tries one way after the other can be. So all ways are
/// gone at the same time, one scalar of the name after the other (K. Thompson, "Regular Expression Search Algorithm", 1968): time is at most
/// (pattern × name), whatever is nested in what, and memory (pattern).
///
/// Of regular expressions it knows literals, `.`, `[…]`, `*`, `+`, `?`, `|`, groups, `^`, `$` and `\d \w \s` with their opposites. A pattern
/// with anything else matches nothing.
struct NodePattern {
    private indirect enum Part {
        case one((Unicode.Scalar) -> Bool)
        case start
        case end
        case sequence([Part])
        case either([Part])
        case optional(Part)
        /// Any number of times.
        case many(Part)
        /// Once, or more often.
        case some(Part)
    }

    private static let maximumLength = 256
    private static let maximumDepth = 16

    private let steps: [Step]

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
        self.steps = Self.steps(of: .sequence(parts + [.end]))
    }

    /// `nil` when it is too long, malformed, or uses what is not known here.
    init?(regularExpression: String) {
        var scanner = Scanner(regularExpression)
        guard scanner.scalars.count <= Self.maximumLength, let part = Self.alternatives(&scanner, depth: 0), scanner.isAtEnd else {
            return nil
        }
        self.steps = Self.steps(of: part)
    }

    // MARK: Matching

    /// A pattern as a program: each step leads to the next one.
    private enum Step {
        /// Takes a scalar of the name.
        case one((Unicode.Scalar) -> Bool)
        case start
        case end
        /// Goes on here and there.
        case fork(Int)
        case jump(Int)
        case matched
    }

    private static func steps(of part: Part) -> [Step] {
        var steps: [Step] = []
        self.add(part, to: &steps)
        return steps + [.matched]
    }

    private static func add(_ part: Part, to steps: inout [Step]) {
        let begin = steps.count
        switch part {
        case .one(let test): steps.append(.one(test))
        case .start: steps.append(.start)
        case .end: steps.append(.end)
        case .sequence(let parts): for part in parts { self.add(part, to: &steps) }
        case .either(let parts):
            var jumps: [Int] = []
            for part in parts.dropLast() {
                let fork = steps.count
                steps.append(.fork(fork))
                self.add(part, to: &steps)
                jumps.append(steps.count)
                steps.append(.jump(0))
                steps[fork] = .fork(steps.count)
            }
            if let last = parts.last { self.add(last, to: &steps) }
            for jump in jumps { steps[jump] = .jump(steps.count) }
        case .optional(let part):
            steps.append(.fork(begin))
            self.add(part, to: &steps)
            steps[begin] = .fork(steps.count)
        case .many(let part):
            steps.append(.fork(begin))
            self.add(part, to: &steps)
            steps.append(.jump(begin))
            steps[begin] = .fork(steps.count)
        case .some(let part):
            self.add(part, to: &steps)
            steps.append(.fork(begin))
        }
    }

    /// Whether the pattern matches from the name's beginning.
    func matches(_ name: String) -> Bool {
        let scalars = Array(name.unicodeScalars)
        /// Steps that wait for a scalar.
        var waiting: [Int] = []
        var open = [0]
        var position = 0
        while true {
            var isSeen = [Bool](repeating: false, count: self.steps.count)
            waiting.removeAll(keepingCapacity: true)
            while let step = open.popLast() {
                guard !isSeen[step] else { continue }
                isSeen[step] = true
                switch self.steps[step] {
                case .one: waiting.append(step)
                case .start: if position == 0 { open.append(step + 1) }
                case .end: if position == scalars.count { open.append(step + 1) }
                case .fork(let other): open += [step + 1, other]
                case .jump(let other): open.append(other)
                case .matched: return true
                }
            }
            guard position < scalars.count, !waiting.isEmpty else { return false }
            for step in waiting { if case .one(let test) = self.steps[step], test(scalars[position]) { open.append(step + 1) } }
            position += 1
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
                part = .some(part)
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
