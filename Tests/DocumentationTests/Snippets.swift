import Foundation

/// The two ends of a snippet. In Swift, between `// snippet: NAME` and `// end snippet`; in Markdown, the fenced block after
/// `<!-- snippet: Examples/…/File.swift#NAME -->`. The page shows what the example runs, without its indentation.
enum Snippets {
    struct Quotation: Equatable {
        var path: String
        var name: String
        var lines: [String]
    }

    struct Malformed: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    /// The quoted blocks of a Markdown text, in its order.
    static func quotations(inMarkdown text: String) throws(Malformed) -> [Quotation] {
        var quotations: [Quotation] = []
        var lines = Self.lines(text)[...]
        while let line = lines.popFirst() {
            guard let reference = Self.reference(in: line) else { continue }
            guard lines.popFirst()?.hasPrefix("```swift") == true else {
                throw Malformed(description: "\(reference.path)#\(reference.name): no ```swift block on the next line")
            }
            guard let end = lines.firstIndex(of: "```") else {
                throw Malformed(description: "\(reference.path)#\(reference.name): the block does not end")
            }
            quotations.append(Quotation(path: reference.path, name: reference.name, lines: Array(lines[..<end])))
            lines = lines[(end + 1)...]
        }
        return quotations
    }

    /// The marked parts of a Swift source, by name, with the indentation that all their lines share removed.
    static func parts(inSwift text: String) throws(Malformed) -> [String: [String]] {
        var parts: [String: [String]] = [:]
        var open: (name: String, lines: [String])?
        for line in Self.lines(text) {
            let content = line.trimmingPrefix { $0 == " " }
            if content.hasPrefix("// snippet: ") {
                let name = String(content.dropFirst("// snippet: ".count))
                if let open { throw Malformed(description: "\(name) begins inside \(open.name)") }
                if parts[name] != nil { throw Malformed(description: "\(name) is there twice") }
                open = (name, [])
            } else if content == "// end snippet" {
                guard let ended = open else { throw Malformed(description: "an end without a beginning") }
                parts[ended.name] = Self.withoutIndentation(ended.lines)
                open = nil
            } else {
                open?.lines.append(line)
            }
        }
        if let open { throw Malformed(description: "\(open.name) does not end") }
        return parts
    }

    private static func reference(in line: String) -> (path: String, name: String)? {
        guard line.hasPrefix("<!-- snippet: "), line.hasSuffix(" -->") else { return nil }
        let halves = line.dropFirst("<!-- snippet: ".count).dropLast(" -->".count).split(separator: "#", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        return (String(halves[0]), String(halves[1]))
    }

    private static func withoutIndentation(_ lines: [String]) -> [String] {
        let indentation = lines.lazy.filter { !$0.isEmpty }.map { $0.prefix { $0 == " " }.count }.min() ?? 0
        return lines.map { String($0.dropFirst(indentation)) }
    }

    private static func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}
