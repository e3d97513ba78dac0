/// What is known of a directive: where it may stand, what it takes, and what the embedded proxy makes of it.
struct DirectiveRule: Sendable {
    /// How many arguments it takes.
    enum Arity: Sendable {
        /// One of these numbers.
        case exactly(Set<Int>)
        /// At least so many.
        case atLeast(Int)
    }

    /// What its (first) argument must be.
    enum Value: Hashable, Sendable {
        case any
        case flag, number, size, offset, seconds, milliseconds
        /// One of these words.
        case one(of: [String])
        /// Some of these words.
        case some(of: [String])
    }

    /// What the embedded proxy does with it.
    enum Treatment: Sendable {
        /// It is mapped, and the mapping says what of it has no effect.
        case mapped
        /// It has no effect, and the report says so.
        case inert
        /// Without it requests would be answered wrongly, so that a file with it is refused.
        case refused
    }

    let name: String
    let blocks: Set<NginxBlock>
    let hasBlock: Bool
    let arity: Arity
    let value: Value
    /// Whether it may stand several times in one block.
    let mayRepeat: Bool
    let treatment: Treatment
}

extension DirectiveRule {
    /// Reads a line of a table: name, blocks, arguments (`12`: one or two; `1+`: at least one; with `{`: and a block), value (with `*`: it
    /// may repeat), treatment (`+` mapped, `-` inert, `!` refused).
    init?(line: Substring) {
        let columns = line.split(separator: " ")
        guard columns.count == 5 else { return nil }
        self.name = String(columns[0])
        self.blocks = Set(columns[1].compactMap(NginxBlock.init(letter:)))
        self.hasBlock = columns[2].hasSuffix("{")
        let arguments = columns[2].filter { $0 != "{" }
        let digits = arguments.compactMap(\.wholeNumberValue)
        guard let first = digits.first, self.blocks.count == columns[1].count else { return nil }
        self.arity = arguments.hasSuffix("+") ? .atLeast(first) : .exactly(Set(digits))
        self.mayRepeat = columns[3].hasSuffix("*")
        guard let value = Value(named: columns[3].filter { $0 != "*" }) else { return nil }
        self.value = value
        switch columns[4] {
        case "+": self.treatment = .mapped
        case "-": self.treatment = .inert
        case "!": self.treatment = .refused
        default: return nil
        }
    }

    func takes(_ count: Int) -> Bool {
        switch self.arity {
        case .exactly(let counts): counts.contains(count)
        case .atLeast(let least): count >= least
        }
    }
}

extension DirectiveRule.Value {
    fileprivate init?(named name: String) {
        switch name {
        case "any": self = .any
        case "flag": self = .flag
        case "number": self = .number
        case "size": self = .size
        case "offset": self = .offset
        case "sec": self = .seconds
        case "msec": self = .milliseconds
        case _ where name.contains("|"): self = .one(of: name.split(separator: "|").map(String.init))
        case _ where name.contains(","): self = .some(of: name.split(separator: ",").map(String.init))
        default: return nil
        }
    }
}
