/// A regular expression over the bytes of a path or a host, as nginx's locations have it: the usual part of PCRE.
///
/// Literals, `.`, classes with ranges and POSIX names, `\d \w \s \b` and their opposites, `^ $ \A \z \Z`, groups (capturing, named,
/// `(?:…)`, `(?i)`, `(?i:…)`), alternatives, greedy and lazy repetition, `(?=…)` and `(?!…)`. Letters are ASCII; other bytes are just bytes.
/// Back references, lookbehind, atomic groups and possessive repetition are refused.
///
/// A match takes bounded memory and a bounded number of steps, whatever the pattern and the text are: where PCRE would search for
/// seconds, a search is given up, and the request is answered with 500, as nginx does at PCRE's own limit.
public struct PathExpression: Sendable, Hashable, CustomStringConvertible {
    public let pattern: String
    public let ignoresCase: Bool
    let program: ExpressionProgram

    /// The names of its groups, in no order.
    public var groupNames: [String] { Array(self.program.names.keys) }

    /// Compiles a pattern.
    ///
    /// - Throws: ``ProxyError`` with the code `invalidConfiguration` for what is no pattern, or not supported. O(the pattern's length, with
    ///   counted repetition written out).
    public init(_ pattern: String, ignoresCase: Bool = false) throws(ProxyError) {
        self.pattern = pattern
        self.ignoresCase = ignoresCase
        var parser = ExpressionParser(Array(pattern.utf8), ignoresCase: ignoresCase)
        self.program = try ExpressionProgram(try parser.parse(), names: parser.names, groups: parser.groupCount)
    }

    public static func == (left: PathExpression, right: PathExpression) -> Bool {
        left.pattern == right.pattern && left.ignoresCase == right.ignoresCase
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.pattern)
        hasher.combine(self.ignoresCase)
    }

    public var description: String { self.pattern }
}

extension ProxyError {
    static func invalidExpression(_ pattern: String, _ why: String) -> ProxyError {
        .invalid("expression", "\(why) in the regular expression \"\(pattern.prefix(100))\"")
    }
}
