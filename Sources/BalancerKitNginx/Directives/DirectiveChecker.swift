/// Judges each statement as nginx does when it reads it: known, in the right block, with the right number and kind of arguments, once.
struct DirectiveChecker: StatementChecker {
    /// Names seen in each open block; one level for the top.
    private var seen: [Set<String>] = [[]]
    private var upstreams: Set<String> = []
    /// The servers of the upstream that is open.
    private var serversInUpstream = 0

    mutating func check(_ statement: NginxSyntaxTree.Node, in block: NginxBlock) throws(NginxError) -> StatementEffect {
        if case .values(let name) = block { return try Self.checkValue(statement, of: name) }
        if statement.name == "include" { return try Self.checkInclude(statement) }
        let rule = try Self.rule(for: statement, in: block)
        try Self.checkForm(statement, rule)
        try self.checkRepetition(statement, rule)
        try ValueCheck(statement).check(rule)
        try self.checkUpstream(statement, in: block)
        guard statement.hasBlock else { return .none }
        self.seen.append([])
        return .opens(Self.inside(statement, in: block))
    }

    mutating func close(_ statement: NginxSyntaxTree.Node, _ block: NginxBlock, at place: NginxPlace) throws(NginxError) {
        if self.seen.count > 1 { self.seen.removeLast() }
        guard block == .upstream else { return }
        defer { self.serversInUpstream = 0 }
        guard self.serversInUpstream > 0 else {
            throw NginxError(code: .invalidValue, message: "no servers are inside upstream", place: place)
        }
    }

    private static func checkValue(_ statement: NginxSyntaxTree.Node, of name: String) throws(NginxError) -> StatementEffect {
        guard !statement.hasBlock else { throw NginxError(code: .syntax, message: #"unexpected "{""#, place: statement.place) }
        return statement.name == "include" && statement.words.count == 2 ? .includes(pattern: statement.words[1].bytes) : .none
    }

    private static func checkInclude(_ statement: NginxSyntaxTree.Node) throws(NginxError) -> StatementEffect {
        guard !statement.hasBlock else { throw Self.notTerminated(statement) }
        guard statement.words.count == 2 else { throw Self.invalidNumber(statement) }
        return .includes(pattern: statement.words[1].bytes)
    }

    /// The rule of that name for the block. Where none is, some other block may have it.
    private static func rule(for statement: NginxSyntaxTree.Node, in block: NginxBlock) throws(NginxError) -> DirectiveRule {
        let name = statement.name
        guard let rules = DirectiveTable.rules[name] else {
            throw NginxError(code: .unknownDirective, message: "unknown directive \"\(name)\"", place: statement.place)
        }
        guard let rule = rules.first(where: { $0.blocks.contains(block) }) else {
            throw NginxError(code: .misplacedDirective, message: "\"\(name)\" directive is not allowed here", place: statement.place)
        }
        return rule
    }

    private static func checkForm(_ statement: NginxSyntaxTree.Node, _ rule: DirectiveRule) throws(NginxError) {
        if !rule.hasBlock, statement.hasBlock { throw Self.notTerminated(statement) }
        if rule.hasBlock, !statement.hasBlock {
            throw NginxError(
                code: .invalidArguments, message: "directive \"\(statement.name)\" has no opening \"{\"", place: statement.place)
        }
        guard rule.takes(statement.words.count - 1) else { throw Self.invalidNumber(statement) }
    }

    private mutating func checkRepetition(_ statement: NginxSyntaxTree.Node, _ rule: DirectiveRule) throws(NginxError) {
        guard let last = self.seen.indices.last, !self.seen[last].insert(rule.name).inserted, !rule.mayRepeat else { return }
        throw NginxError(code: .duplicate, message: "\"\(rule.name)\" directive is duplicate", place: statement.place)
    }

    private mutating func checkUpstream(_ statement: NginxSyntaxTree.Node, in block: NginxBlock) throws(NginxError) {
        if block == .http, statement.name == "upstream", statement.words.count == 2 {
            let name = statement.words[1].text
            guard self.upstreams.insert(name.lowercased()).inserted else {
                throw NginxError(code: .duplicate, message: "duplicate upstream \"\(name)\"", place: statement.place)
            }
        }
        if block == .upstream, statement.name == "server" { self.serversInUpstream += 1 }
    }

    private static func inside(_ statement: NginxSyntaxTree.Node, in block: NginxBlock) -> NginxBlock {
        switch statement.name {
        case "events": .events
        case "http": .http
        case "server": .server
        case "location": .location
        case "upstream": .upstream
        case "limit_except": .limitExcept
        case "if": block == .server ? .ifInServer : .ifInLocation
        case "stream", "mail": .any
        default: .values(of: statement.name)
        }
    }

    private static func notTerminated(_ statement: NginxSyntaxTree.Node) -> NginxError {
        NginxError(
            code: .invalidArguments, message: "directive \"\(statement.name)\" is not terminated by \";\"", place: statement.place)
    }

    private static func invalidNumber(_ statement: NginxSyntaxTree.Node) -> NginxError {
        NginxError(
            code: .invalidArguments, message: "invalid number of arguments in \"\(statement.name)\" directive", place: statement.place)
    }
}
