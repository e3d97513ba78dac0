import Foundation

/// The table, as text and as a file.
public struct Report: Sendable {
    public var comparisons: [Comparison] = []
    /// What could not be measured here, and why.
    public var notes: [String] = []

    public init() {}

    public var text: String {
        var lines = [Self.line("work", "against", "ours", "theirs", "ratio (min … max)", "limit", "")]
        for row in self.comparisons {
            lines.append(
                Self.line(
                    row.name, row.against, Self.number(row.ours) + " " + row.unit, Self.number(row.theirs) + " " + row.unit,
                    "\(Self.number(row.ratio.median)) (\(Self.number(row.ratio.min)) … \(Self.number(row.ratio.max)))",
                    (row.bound == .max ? "≤ " : "≥ ") + Self.number(row.limit), row.holds ? "holds" : "EXCEEDED"))
        }
        return (lines + self.notes.map { "note: \($0)" }).joined(separator: "\n")
    }

    /// Writes the rows to `path`, and what machine they are of beside it.
    public func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let url = URL(fileURLWithPath: path)
        try encoder.encode(self.comparisons).write(to: url)
        try Data((Machine.description + "\n").utf8).write(to: url.deletingPathExtension().appendingPathExtension("machine.txt"))
    }

    private static func line(_ columns: String...) -> String {
        zip(columns, [44, 30, 16, 16, 24, 9, 9]).map { column, width in
            column.padding(toLength: max(width, column.count), withPad: " ", startingAt: 0)
        }.joined(separator: " ")
    }

    static func number(_ value: Double) -> String {
        value.magnitude >= 100 ? String(format: "%.0f", value) : String(format: "%.2f", value)
    }
}

/// What the figures were measured on.
enum Machine {
    static var description: String {
        let model =
            (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n")
            .first { $0.hasPrefix("model name") }?.split(separator: ":").last.map { $0.drop { $0 == " " } } ?? "unknown processor"
        let info = ProcessInfo.processInfo
        return "\(model), \(info.activeProcessorCount) cores, \(info.physicalMemory >> 30) GiB; \(info.operatingSystemVersionString)"
    }
}
