/// A test's expectation that did not hold, with the line that says so.
///
/// It is thrown, and not reported to a test framework: a thrown error fails a test under XCTest and Swift Testing alike, also out of
/// a helper or a detached task whose result is awaited. An `XCTAssert` within a `@Test`, and an `#expect` within an `XCTestCase`, pass in silence.
public struct TestFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    /// As `#fileID` gives it: module and file.
    public let file: String
    public let line: Int

    public init(_ message: String, file: String = #fileID, line: Int = #line) {
        self.message = message
        self.file = file
        self.line = line
    }

    public var description: String { "\(self.file):\(self.line): \(self.message)" }
}
