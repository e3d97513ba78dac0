/// A pattern as instructions, and the machine that runs them: it tries alternatives in PCRE's order and goes back by a stack of its own.
struct ExpressionProgram: Sendable {
    private enum Instruction: Sendable {
        case byte(ByteSet)
        /// Tries the first, then the second.
        case split(Int, Int)
        case jump(Int)
        /// Notes the present place.
        case save(Int)
        /// Leaves a loop that has gone round without taking anything.
        case leaveIfIdle(Int, to: Int)
        case position(ExpressionNode.Position)
        /// What follows up to a `match` must be ahead, or must not; then goes on.
        case ahead(isNegative: Bool, then: Int)
        case match
    }

    enum Outcome: Equatable, Sendable {
        /// With the ranges of the whole match and of the groups.
        case match([Range<Int>?])
        case noMatch
        /// The search was given up.
        case tooComplex
    }

    /// Instructions of a program; more is a repetition that was written out too often.
    private static let longest = 20_000
    /// Instructions that one search may carry out.
    static let patience = 2_000_000

    private var code: [Instruction] = []
    private var slotCount: Int
    private let groupCount: Int
    let names: [String: Int]
    /// Whether a match can only begin at the start of the text or behind a line feed: the pattern begins with `.*`.
    private let beginsWithAny: Bool
    private let isAnchored: Bool

    init(_ node: ExpressionNode, names: [String: Int], groups: Int) throws(ProxyError) {
        self.names = names
        self.groupCount = groups
        self.slotCount = (groups + 1) * 2
        self.beginsWithAny = Self.beginsWithAny(node)
        self.isAnchored = Self.isAnchored(node)
        try self.compile(node)
        self.code.append(.match)
    }

    private static func first(_ node: ExpressionNode) -> ExpressionNode? {
        switch node {
        case .sequence(let nodes): nodes.first { if case .nothing = $0 { false } else { true } }.flatMap(Self.first)
        case .group(let inner, _): Self.first(inner)
        case .alternatives: nil
        default: node
        }
    }

    private static func isAnchored(_ node: ExpressionNode) -> Bool {
        if case .position(.start)? = Self.first(node) { true } else { false }
    }

    private static func beginsWithAny(_ node: ExpressionNode) -> Bool {
        guard case .repetition(.byte(let set), least: 0, most: nil, _)? = Self.first(node) else { return false }
        return set == ByteSet(10...10).inverted
    }

    // MARK: Writing

    private mutating func emit(_ instruction: Instruction) throws(ProxyError) {
        guard self.code.count < Self.longest else { throw .invalid("expression", "a regular expression is too long") }
        self.code.append(instruction)
    }

    private mutating func compile(_ node: ExpressionNode) throws(ProxyError) {
        switch node {
        case .nothing: break
        case .byte(let set): try self.emit(.byte(set))
        case .sequence(let nodes): for node in nodes { try self.compile(node) }
        case .alternatives(let choices): try self.compile(choices)
        case .position(let position): try self.emit(.position(position))
        case .group(let inner, let number):
            if let number { try self.emit(.save(number * 2)) }
            try self.compile(inner)
            if let number { try self.emit(.save(number * 2 + 1)) }
        case .ahead(let inner, let isNegative):
            let start = self.code.count
            try self.emit(.ahead(isNegative: isNegative, then: 0))
            try self.compile(inner)
            try self.emit(.match)
            self.code[start] = .ahead(isNegative: isNegative, then: self.code.count)
        case .repetition(let inner, let least, let most, let isLazy):
            try self.compile(inner, least: least, most: most, isLazy: isLazy)
        }
    }

    private mutating func compile(_ choices: [ExpressionNode]) throws(ProxyError) {
        var exits: [Int] = []
        for (index, choice) in choices.enumerated() {
            guard index < choices.count - 1 else {
                try self.compile(choice)
                break
            }
            let split = self.code.count
            try self.emit(.split(split + 1, 0))
            try self.compile(choice)
            exits.append(self.code.count)
            try self.emit(.jump(0))
            self.code[split] = .split(split + 1, self.code.count)
        }
        for exit in exits { self.code[exit] = .jump(self.code.count) }
    }

    private mutating func compile(_ inner: ExpressionNode, least: Int, most: Int?, isLazy: Bool) throws(ProxyError) {
        for _ in 0..<least {
            let before = self.code.count
            try self.compile(inner)
            // What is nothing once is nothing a thousand times.
            if self.code.count == before { return }
        }
        guard let most else {
            let slot = self.slotCount
            self.slotCount += 1
            let split = self.code.count
            try self.emit(.split(0, 0))
            try self.emit(.save(slot))
            try self.compile(inner)
            let leave = self.code.count
            try self.emit(.leaveIfIdle(slot, to: leave + 2))
            try self.emit(.jump(split))
            self.code[split] = isLazy ? .split(self.code.count, split + 1) : .split(split + 1, self.code.count)
            return
        }
        var splits: [Int] = []
        for _ in 0..<max(0, most - least) {
            splits.append(self.code.count)
            try self.emit(.split(0, 0))
            try self.compile(inner)
        }
        for split in splits { self.code[split] = isLazy ? .split(self.code.count, split + 1) : .split(split + 1, self.code.count) }
    }

    // MARK: Running

    /// Searches from the left. O(``patience``) at most.
    func search(_ text: UnsafeRawBufferPointer) -> Outcome {
        var machine = Machine(text, slots: self.slotCount)
        var start = 0
        while true {
            switch machine.run(self.code, from: 0, at: start) {
            case .some(let end):
                var groups: [Range<Int>?] = [start..<end]
                for group in 0..<self.groupCount {
                    let (lower, upper) = (machine.slots[group * 2 + 2], machine.slots[group * 2 + 3])
                    groups.append(lower >= 0 && upper >= lower ? lower..<upper : nil)
                }
                return .match(groups)
            case nil where machine.steps > Self.patience: return .tooComplex
            case nil: break
            }
            guard !self.isAnchored, let next = self.nextStart(after: start, text) else { return .noMatch }
            start = next
        }
    }

    private func nextStart(after start: Int, _ text: UnsafeRawBufferPointer) -> Int? {
        guard start < text.count else { return nil }
        guard self.beginsWithAny else { return start + 1 }
        return text[start...].firstIndex(of: 10).map { $0 + 1 }
    }

    private struct Machine {
        private enum Choice {
            case goOn(Int, at: Int)
            case restore(slot: Int, to: Int)
        }

        private let text: UnsafeRawBufferPointer
        var slots: [Int]
        private(set) var steps = 0
        private var stack: [Choice] = []

        init(_ text: UnsafeRawBufferPointer, slots: Int) {
            self.text = text
            self.slots = Array(repeating: -1, count: slots)
        }

        /// Where the match ends; nil is none, or that patience has run out. What is ahead is looked at by a call of its own, as deep as
        /// the pattern says.
        mutating func run(_ code: [Instruction], from start: Int, at place: Int) -> Int? {
            let bottom = self.stack.count
            var (instruction, place) = (start, place)
            while true {
                self.steps += 1
                guard self.steps <= ExpressionProgram.patience else { return nil }
                var goesOn = true
                switch code[instruction] {
                case .match:
                    self.forget(downTo: bottom)
                    return place
                case .byte(let set):
                    goesOn = place < self.text.count && set.contains(self.text[place])
                    if goesOn { (instruction, place) = (instruction + 1, place + 1) }
                case .jump(let target): instruction = target
                case .split(let first, let second):
                    self.stack.append(.goOn(second, at: place))
                    instruction = first
                case .save(let slot):
                    self.stack.append(.restore(slot: slot, to: self.slots[slot]))
                    self.slots[slot] = place
                    instruction += 1
                case .leaveIfIdle(let slot, let target): instruction = self.slots[slot] == place ? target : instruction + 1
                case .position(let position):
                    goesOn = self.holds(position, at: place)
                    instruction += 1
                case .ahead(let isNegative, let then):
                    let isAhead = self.run(code, from: instruction + 1, at: place) != nil
                    goesOn = isAhead != isNegative
                    instruction = then
                }
                guard goesOn || self.goBack(downTo: bottom, &instruction, &place) else { return nil }
            }
        }

        /// Takes up the youngest choice that is left.
        private mutating func goBack(downTo bottom: Int, _ instruction: inout Int, _ place: inout Int) -> Bool {
            while self.stack.count > bottom, let choice = self.stack.popLast() {
                switch choice {
                case .restore(let slot, let value): self.slots[slot] = value
                case .goOn(let next, let at):
                    (instruction, place) = (next, at)
                    return true
                }
            }
            return false
        }

        /// Drops choices, and keeps what is needed to undo the captures.
        private mutating func forget(downTo bottom: Int) {
            guard bottom > 0 else { return self.stack.removeAll(keepingCapacity: true) }
            let kept = self.stack[bottom...].filter { if case .restore = $0 { true } else { false } }
            self.stack.removeSubrange(bottom...)
            self.stack.append(contentsOf: kept)
        }

        private func holds(_ position: ExpressionNode.Position, at place: Int) -> Bool {
            switch position {
            case .start: place == 0
            case .veryEnd: place == self.text.count
            case .end: place == self.text.count || (place == self.text.count - 1 && self.text[place] == 10)
            case .wordBoundary: self.isBoundary(place)
            case .noWordBoundary: !self.isBoundary(place)
            }
        }

        private func isBoundary(_ place: Int) -> Bool {
            let before = place > 0 && ByteSet.word.contains(self.text[place - 1])
            let after = place < self.text.count && ByteSet.word.contains(self.text[place])
            return before != after
        }
    }
}
