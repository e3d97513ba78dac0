import ScaleCore
import Testing

struct SecretTests {
    /// Everything that Swift offers to turn a value into text.
    static func everyText<Value>(of value: Value) -> [String] {
        var dumped = ""
        dump(value, to: &dumped)
        var printed = ""
        print(value, [value], ["key": value], Value?.some(value) as Any, to: &printed)
        var debugged = ""
        debugPrint(value, [value], to: &debugged)
        return [
            "\(value)", String(describing: value), String(reflecting: value), "\([value])", dumped, printed, debugged,
            Mirror(reflecting: value).children.map { "\($0)" }.joined(), "\(Mirror(reflecting: value))",
        ]
    }

    @Test func `a secret is not printed in any way`() {
        for text in Self.everyText(of: Secret("hunter2")) { #expect(!text.contains("hunter2"), "\(text)") }
        #expect("\(Secret("hunter2"))" == "***")
        #expect(Secret("hunter2").reveal() == "hunter2")
    }

    @Test(arguments: [
        "redis://hunter2:hunter2@h:1/1?name=hunter2", "redis://hunter2@h", "redis://:hunter2@h",
        "redis://%68unter2:h%75nter2@a,b/0?timeout=hunter2",
    ])
    func `a URL's credentials and option values are not printed in any way`(text: String) throws {
        let url = try ServiceURL(text, schemes: .all)
        for shown in Self.everyText(of: url) + Self.everyText(of: url.options) {
            #expect(!shown.contains("unter2") && !shown.contains("nter2"), "\(shown)")
        }
    }

    @Test(arguments: [
        ("redis://u:p@a:1,[::1]:2/1?name=x&timeout=y", "redis://***@a:1,[::1]:2/1?name=***&timeout=***"), ("redis://h", "redis://h:6379"),
        ("redis://h/", "redis://h:6379/"), ("sqlite:jobs.db", "sqlite:jobs.db"),
        ("pyamqp://guest@localhost//", "pyamqp://***@localhost:5672//"),
        ("sqlite:///var/x", "sqlite:/var/x"), ("tcp://h", "tcp://h"), ("redis://[fe80::1%25eth0]", "redis://[fe80::1%eth0]:6379"),
    ])
    func `a URL's description shows the rest`(text: String, description: String) throws {
        #expect(try ServiceURL(text, schemes: .all).description == description)
    }

    @Test func `secrets compare by their bytes`() {
        #expect(Secret("a") == Secret("a"))
        #expect(Secret("a") != Secret("b"))
        #expect(Secret("a") != Secret("ab"))
        // One character in two spellings: equal as text, another password for the server.
        #expect(Secret("é") != Secret("e\u{301}"))
        #expect(Set([Secret("a"), Secret("a"), Secret("b")]).count == 2)
    }
}
