import Foundation
import Testing

@testable import BalancerKitNginx

@Suite struct ValidationTests {
    private static func verdict(_ text: String, file: String, prefix: String) -> String? {
        do throws(NginxError) {
            _ = try NginxConfiguration.checkedSyntax(Array(text.utf8), file: file, context: .main, prefix: prefix)
            return nil
        } catch {
            return error.description
        }
    }

    private static func withoutPlace(_ message: String?) -> String? {
        message.map { $0.components(separatedBy: " in FILE:")[0] }
    }

    @Test(arguments: validationCases) func `a rule is judged in nginx's words`(example: ValidationCase) throws {
        let verdict = Self.verdict(example.file, file: "FILE", prefix: ".")
        // nginx finds unknown variables last, when it has forgotten where they stood.
        let expected = example.message.map { $0.hasPrefix("unknown \"nonsense\"") ? $0 + " in FILE:2" : $0 }
        #expect(verdict == expected)
    }

    @Test(.enabled(if: InstalledNginx.isInstalled, "needs nginx: Scripts/setup test"), arguments: validationCases)
    func `the installed nginx says the same`(example: ValidationCase) throws {
        let scratch = try Scratch()
        let file = try scratch.write("nginx.conf", example.file)
        let complaint = try InstalledNginx.complaint(about: file, prefix: scratch.path)
        let words = complaint?.replacingOccurrences(of: file, with: "FILE")
        // nginx expands these values when the block has ended, and names that line; we name the statement's.
        let isExpandedLate = example.text.hasPrefix("proxy_set_header")
        #expect(isExpandedLate ? Self.withoutPlace(words) == Self.withoutPlace(example.message) : words == example.message)
    }

    /// Each grammar case as it is, and without its first word, so that the next one, as nginx understands it, stands in the message.
    @Test(.enabled(if: InstalledNginx.isInstalled, "needs nginx: Scripts/setup test"), arguments: grammarCases)
    func `the installed nginx cuts words alike`(example: GrammarCase) throws {
        let scratch = try Scratch()
        for text in [example.text, example.text.hasPrefix("a ") ? String(example.text.dropFirst(2)) : example.text] {
            let file = try scratch.write("nginx.conf", text)
            let complaint = try InstalledNginx.complaint(about: file, prefix: scratch.path)
            let verdict = Self.verdict(text, file: file, prefix: scratch.path)
            // nginx cuts its messages off at 2048 bytes.
            #expect(verdict?.prefix(1000) == complaint?.onOneLine.prefix(1000), "\(text.prefix(80))")
        }
    }

    @Test func `every line of the tables is a rule`() {
        #expect(DirectiveTable.lines.count > 300)
        for line in DirectiveTable.lines { #expect(DirectiveRule(line: line) != nil, "\(line)") }
    }

    @Test func `no rule is there twice for the same block`() {
        for (name, rules) in DirectiveTable.rules where rules.count > 1 {
            let blocks = rules.flatMap { Array($0.blocks) }
            #expect(blocks.count == Set(blocks).count, "\(name)")
        }
    }
}
