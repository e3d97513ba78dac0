import Testing

@testable import BalancerKitProxy

/// What an expression finds: the match and its groups, `-` for a group that took part in nothing; nil where it finds nothing.
private func find(_ pattern: String, _ text: String, ignoresCase: Bool = false) throws -> [String]? {
    let expression = try PathExpression(pattern, ignoresCase: ignoresCase)
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBytes { buffer in
        guard case .match(let groups) = expression.program.search(buffer) else { return nil }
        return groups.map { $0.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "-" }
    }
}

@Suite struct PathExpressionTests {
    @Test(
        arguments: [
            ("a", "xay", ["a"]), ("^a", "xa", nil), ("^a", "ab", ["a"]), ("a$", "ba", ["a"]), ("a$", "ba\n", ["a"]), ("a\\z", "ba\n", nil),
            ("a.c", "abc", ["abc"]), ("a.c", "a\nc", nil), ("a*", "aaa", ["aaa"]), ("a*?", "aaa", [""]), ("a+?b", "aab", ["aab"]),
            ("a{2}", "aaa", ["aa"]), ("a{2,}", "aaaa", ["aaaa"]), ("a{1,2}?", "aaa", ["a"]), ("a{,2}", "a{,2}", ["a{,2}"]),
            ("x{", "x{", ["x{"]),
            ("(a)(b)?", "a", ["a", "a", "-"]), ("(a|ab)(c|bcd)", "abcd", ["abcd", "a", "bcd"]), ("(?:a|b)+", "abab", ["abab"]),
            ("(a*)*", "b", ["", ""]), ("(a*)*b", "aab", ["aab", ""]), ("(|a)+", "aa", ["", ""]),
            ("(?<id>\\d+)/(?P<rest>.*)", "12/x", ["12/x", "12", "x"]),
            ("\\.(gif|png)$", "/a.png", [".png", "png"]), ("[^/]+$", "/a/b", ["b"]), ("[a-c\\d-]+", "xb-2d", ["b-2"]),
            ("[]a]+", "]a", ["]a"]),
            ("[[:alpha:]_]+", "1a_B2", ["a_B"]), ("\\bfoo\\b", "a foo.", ["foo"]), ("\\Bo", "foo", ["o"]), ("(?i)ABC", "xabc", ["abc"]),
            ("a(?i)b|c", "aB", ["aB"]), ("(?i:a)b", "Ab", ["Ab"]), ("(?i:a)b", "AB", nil), ("/\\.(?!well-known)", "/.git", ["/."]),
            ("/\\.(?!well-known)", "/.well-known", nil), ("a(?=b)", "acab", ["a"]), ("(?=(a))a", "a", ["a", "a"]),
            ("^(.*)\\.(.*)$", "a.b.c", ["a.b.c", "a.b", "c"]),
            ("\\x41", "A", ["A"]), ("é", "caf\u{e9}", ["é"]), ("^.$", "é", nil), ("a\\/b", "a/b", ["a/b"]), ("", "", [""]),
            ("(a|b|)c", "c", ["c", ""]),
            (".*b", "a\nab", ["ab"]), ("(.*)b", "xx\nab", ["ab", "a"]),
        ] as [(String, String, [String]?)])
    func `what an expression finds`(pattern: String, text: String, found: [String]?) throws {
        #expect(try find(pattern, text) == found)
    }

    @Test func `letters of both cases are one where it is said`() throws {
        #expect(try find("\\.JPE?G$", "/x.jpg", ignoresCase: true) == [".jpg"])
        #expect(try find("[a-c]+", "xABC", ignoresCase: true) == ["ABC"])
        #expect(try find("[^a]", "A", ignoresCase: true) == nil)
    }

    @Test(arguments: [
        "(", ")", "a)", "(a", "[a", "[z-a]", "*a", "a**", "a{2}{3}", "a++", "\\", "\\1", "\\k<a>", "(?<=a)b", "(?<!a)b", "(?>a)", "a{1001}",
        "a{3,2}",
        "(?<a", "(?<>a)", "[[:nonsense:]]", "^*", "(?", "(*FAIL)", "\\pL", "a{1000}{1000}", "((a{1000}){1000}){1000}",
    ])
    func `what is no expression, or none that is supported, is an error`(pattern: String) {
        let error = #expect(throws: ProxyError.self) { try PathExpression(pattern) }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test func `groups nested beyond reason are an error`() throws {
        #expect(throws: ProxyError.self) {
            try PathExpression(String(repeating: "(", count: 100_000) + String(repeating: ")", count: 100_000))
        }
        _ = try PathExpression(String(repeating: "(", count: 50) + String(repeating: ")", count: 50))
    }

    @Test(arguments: ["(a*)*b", "(a|a)*b", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(?=(a+)+b)a", "(.*)(.*)(.*)(.*)(.*)x"])
    func `a search that would take for ever is given up`(pattern: String) throws {
        let expression = try PathExpression(pattern)
        let text = Array(String(repeating: "a", count: 5000).utf8) + [UInt8(ascii: "!")]
        text.withUnsafeBytes { #expect(expression.program.search($0) == .tooComplex) }
    }

    @Test func `usual expressions take long paths`() throws {
        let text = Array(("/" + String(repeating: "a", count: 16_000) + ".php").utf8)
        for pattern in ["\\.php$", "^(.+\\.php)(/.*)?$", "(.*)\\.(jpg|png|php)$", "^/[^/]+$"] {
            let expression = try PathExpression(pattern)
            text.withUnsafeBytes { bytes in
                guard case .match = expression.program.search(bytes) else {
                    Issue.record("\(pattern)")
                    return
                }
            }
        }
    }

    @Test func `a search that is given up is answered with 500`() async throws {
        var route = ProxyRoute(expression: try PathExpression("^(a|a)*$"), action: .refuse(status: 410))
        route.expression = try PathExpression("(a|a)*b")
        var proxy = ProxyConfiguration(routes: [route, ProxyRoute(prefix: "/", action: .refuse(status: 404))])
        (proxy.port, proxy.threads) = (0, 1)
        try await withProxy(proxy) { running in
            for (path, status) in [("/aab", 410), ("/c", 404), ("/" + String(repeating: "a", count: 3000), 500)] {
                let answer = try await running.ask("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(answer.status == status)
            }
        }
    }
}
