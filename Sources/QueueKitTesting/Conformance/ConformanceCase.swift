/// One rule of a conformance suite, with the test that shows it.
public struct ConformanceCase<Subject: Sendable>: Sendable, CustomStringConvertible {
    /// The rule as a sentence.
    public let name: String
    private let body: @Sendable (Subject) async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (Subject) async throws -> Void) {
        self.name = name
        self.body = body
    }

    public var description: String { self.name }

    /// Tries the rule on a fresh subject.
    ///
    /// - Throws: `TestFailure` with the line of the suite that did not hold; errors of the subject.
    public func run(on subject: Subject) async throws {
        try await self.body(subject)
    }
}
