import ScaleCore
import Testing

@testable import QueueKit

@Suite struct PythonTextTests {
    @Test(
        arguments: [
            (.null, "None"), (true, "True"), (5, "5"), (2.5, "2.5"), (.double(.nan), "nan"), (.double(-.infinity), "-inf"),
            ("a'b", #""a'b""#), (.string(#"a'b"c"#), #"'a\'b"c'"#), ("x\n\u{1}\u{7F}\\", #"'x\n\x01\x7f\\'"#), ("grün", "'grün'"),
            ([1, "a", nil], "[1, 'a', None]"), (["k": [1.0], "l": [:]], "{'k': [1.0], 'l': {}}"), ([], "[]"),
        ] as [(JSONValue, String)])
    func `a value is shown as Python shows it`(_ value: JSONValue, _ text: String) {
        #expect(PythonText.repr(value) == text)
    }

    @Test func `what is long is cut, and what is deep is not followed`() {
        #expect(PythonText.repr(.string(String(repeating: "x", count: 5000)), limit: 10) == "'xxxxxxxxxx...")
        #expect(PythonText.repr(.array(Array(repeating: 7, count: 100_000)), limit: 20).utf8.count < 30)
        var deep: JSONValue = []
        for _ in 0..<500 { deep = [deep] }
        #expect(PythonText.repr(deep).hasSuffix("..."))
        #expect(PythonText.repr(.bigInteger(String(repeating: "9", count: 100_000)), limit: 100).utf8.count < 110)
    }
}
