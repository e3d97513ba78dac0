import Foundation
import Testing

/// A guide that leads through the source must not lead to where nothing is.
@Suite struct NamedFilesTests {
    @Test(arguments: SnippetsTests.pages)
    func `each source file and folder that a page names is there`(page: String) throws {
        let sources = SnippetsTests.root.appending(path: "Sources")
        let targets = Set(try FileManager.default.contentsOfDirectory(atPath: sources.path))
        for name in Self.codeSpans(in: try SnippetsTests.read(page)) {
            guard let target = name.split(separator: "/").first, name.contains("/"), targets.contains(String(target)) else { continue }
            #expect(FileManager.default.fileExists(atPath: sources.appending(path: name).path), "\(page) names Sources/\(name)")
        }
    }

    @Test func `spans are found, fenced blocks are not`() {
        #expect(Self.codeSpans(in: "a `b/c` d `e`\n```\n`f/g`\n```\n`h/i`") == ["b/c", "e", "h/i"])
    }

    /// What stands between backticks, outside fenced blocks.
    static func codeSpans(in markdown: String) -> [String] {
        var isFenced = false
        var spans: [String] = []
        for line in markdown.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isFenced.toggle()
            } else if !isFenced {
                let pieces = line.split(separator: "`", omittingEmptySubsequences: false)
                spans += stride(from: 1, to: pieces.count, by: 2).map { String(pieces[$0]) }
            }
        }
        return spans
    }
}
