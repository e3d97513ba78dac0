import Foundation
import Testing

/// What a page shows of our code is a part of an example, which is compiled, run and tested.
@Suite struct SnippetsTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// README.md and the guides.
    static let pages: [String] = {
        let guides = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Documentation").path)) ?? []
        return ["README.md"] + guides.filter { $0.hasSuffix(".md") }.sorted().map { "Documentation/\($0)" }
    }()

    static func read(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    @Test(arguments: pages)
    func `each Swift block of a page that names its source is equal to it`(page: String) throws {
        for quotation in try Snippets.quotations(inMarkdown: Self.read(page)) {
            let parts = try Snippets.parts(inSwift: Self.read(quotation.path))
            let part = try #require(parts[quotation.name], "\(page) quotes \(quotation.path)#\(quotation.name), which is not there")
            #expect(quotation.lines == part, "\(page) differs from \(quotation.path)#\(quotation.name)")
            #expect(quotation.path.hasPrefix("Examples/"), "\(page) quotes \(quotation.path), which is no example")
        }
    }

    @Test(arguments: pages)
    func `each Swift block of a page names its source, but manifests and marked drafts`(page: String) throws {
        let lines = try Self.read(page).split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.hasPrefix("```swift") {
            let before = index > 0 ? lines[index - 1] : ""
            let named = before.hasPrefix("<!-- snippet: ") || before.hasPrefix("<!-- no snippet: ")
            #expect(named, "\(page), line \(index + 1): a Swift block without a source; no test keeps it true")
        }
    }

    static let source = """
        func run() {
            // snippet: one
            if a {

                b()
            }
            // end snippet
            c()
            // snippet: two
            d()
            // end snippet
        }
        """

    @Test func `a part loses the indentation that its lines share, and no more`() throws {
        let parts = try Snippets.parts(inSwift: Self.source)
        #expect(parts == ["one": ["if a {", "", "    b()", "}"], "two": ["d()"]])
    }

    @Test(arguments: [
        ("// snippet: a\nx", "a does not end"),
        ("// snippet: a\n// snippet: b", "b begins inside a"),
        ("x\n// end snippet", "an end without a beginning"),
        ("// snippet: a\n// end snippet\n// snippet: a", "a is there twice"),
    ])
    func `markers that do not pair are refused`(source: String, complaint: String) {
        #expect(throws: Snippets.Malformed(description: complaint)) { try Snippets.parts(inSwift: source) }
    }

    @Test func `a quotation is the block after its reference, other blocks are not`() throws {
        let page = """
            Text.
            ```swift
            other()
            ```
            <!-- snippet: Examples/A.swift#one -->
            ```swift
            x()

            y()
            ```
            """
        let quotations = try Snippets.quotations(inMarkdown: page)
        #expect(quotations == [Snippets.Quotation(path: "Examples/A.swift", name: "one", lines: ["x()", "", "y()"])])
    }

    @Test(arguments: [
        ("<!-- snippet: A.swift#a -->\ntext", "A.swift#a: no ```swift block on the next line"),
        ("<!-- snippet: A.swift#a -->", "A.swift#a: no ```swift block on the next line"),
        ("<!-- snippet: A.swift#a -->\n```swift\nx()", "A.swift#a: the block does not end"),
    ])
    func `a reference without its block is refused`(page: String, complaint: String) {
        #expect(throws: Snippets.Malformed(description: complaint)) { try Snippets.quotations(inMarkdown: page) }
    }
}
