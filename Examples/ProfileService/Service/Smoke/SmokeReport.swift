import Foundation

/// What the scenario did, step by step, with figures.
struct SmokeReport: Encodable, Sendable {
    struct Step: Encodable, Sendable {
        var name: String
        var kit: String
        var ok: Bool
        /// What was seen, in words; what was wrong, when the step failed.
        var detail: String
        var figures: [String: Double]
    }

    /// False before the first step: what is written early to try the file must not pass for a success.
    var ok: Bool { !self.steps.isEmpty && self.steps.allSatisfy(\.ok) }
    var steps: [Step] = []

    enum CodingKeys: CodingKey {
        case ok, steps
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.ok, forKey: .ok)
        try container.encode(self.steps, forKey: .steps)
    }

    /// Writes the report as JSON.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do {
            try encoder.encode(self).write(to: URL(fileURLWithPath: path))
        } catch {
            throw StartError("--json \(path): cannot be written; name a file in a writable directory")
        }
    }
}

/// The scenario went otherwise than it must.
struct SmokeFailure: Error, CustomStringConvertible {
    let description: String
}
