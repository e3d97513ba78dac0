/// One rule of a conformance suite, with the check that shows it.
///
/// It knows no test framework: a rule that does not hold throws. Under Swift Testing the cases are the arguments of a test, so that
/// each is reported by its sentence; under XCTest a suite's `run` reports all that fail at once.
public struct ConformanceCase<Subject: Sendable>: Sendable, CustomStringConvertible {
    /// The rule as a sentence.
    public let name: String
    private let body: @Sendable (Subject) async throws -> Void

    /// - Parameters:
    ///   - name: the rule as a sentence.
    ///   - body: throws ``TestFailure`` where the subject does not keep the rule.
    public init(_ name: String, _ body: @escaping @Sendable (Subject) async throws -> Void) {
        self.name = name
        self.body = body
    }

    public var description: String { self.name }

    /// Tries the rule.
    ///
    /// - Parameter limit: how long a try may take, in the machine's own time: a subject that hangs does not keep the rule.
    /// - Throws: ``TestFailure`` with the line of the suite that did not hold; errors of the subject.
    public func run(on subject: Subject, within limit: Duration = .seconds(120)) async throws {
        let attempt = PendingCall("'\(self.name)'") { try await self.body(subject) }
        try await attempt.value(within: limit)
    }

    /// Tries all `cases`, each on a subject of its own, and throws one ``TestFailure`` that lists those that do not hold.
    public static func run(
        _ cases: [Self], file: String = #fileID, line: Int = #line, on makeSubject: () async throws -> Subject
    ) async throws {
        var failures: [String] = []
        for rule in cases {
            do {
                try await rule.run(on: try await makeSubject())
            } catch {
                failures.append("'\(rule.name)': \(error)")
            }
        }
        guard !failures.isEmpty else { return }
        let summary = "\(failures.count) of \(cases.count) rules do not hold"
        throw TestFailure("\(summary):\n\(failures.joined(separator: "\n"))", file: file, line: line)
    }
}
