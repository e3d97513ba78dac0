public import ScaleTesting
public import SessionStore

/// What every ``SessionStore/SessionStorage`` promises, as checks to run on one of your own.
///
/// No test framework is needed: a check that does not hold throws a `TestFailure` with file and line. Under Swift Testing each rule is a
/// case:
///
/// ```swift
/// @Test(arguments: SessionStorageConformance.cases)
/// func `my storage conforms`(rule: SessionStorageConformance.Case) async throws {
///     let time = ManualTime()
///     try await rule.run(on: .init(MyStorage(time: time.source)) { await time.advance(by: $0) })
/// }
/// ```
///
/// Under XCTest call ``run(on:)``, which reports all that fail at once.
public enum SessionStorageConformance {
    /// A storage to be checked, and how to let time pass for it.
    public struct Subject: Sendable {
        let storage: any SessionStorage
        let secondNode: any SessionStorage
        let unit: Duration
        private let passTime: @Sendable (Duration) async throws -> Void

        /// - Parameters:
        ///   - storage: the storage, in whatever state: each check uses keys of its own.
        ///   - secondNode: the same sessions through another connection, as another process would see them; the same object by default.
        ///   - unit: the checks' sessions live for tens of units. Choose it much longer than a call takes and, when `passTime` waits for
        ///     real, short enough to wait for: the suite lets about a hundred units pass.
        ///   - passTime: lets the storage's clock advance by this much at least.
        public init(
            _ storage: some SessionStorage, secondNode: (any SessionStorage)? = nil, unit: Duration = .seconds(1),
            passTime: @escaping @Sendable (Duration) async throws -> Void
        ) {
            self.storage = storage
            self.secondNode = secondNode ?? storage
            self.unit = unit
            self.passTime = passTime
        }

        func pass(units: Int) async throws {
            try await self.passTime(self.unit * units)
        }

        /// A policy in the subject's units.
        func policy(idle: Int = 20, absolute: Int = 50) -> SessionPolicy {
            SessionPolicy(idle: self.unit * idle, absolute: self.unit * absolute)
        }
    }

    /// One rule.
    public typealias Case = ConformanceCase<Subject>

    /// All rules.
    public static let cases: [Case] = storing + concluding + rotating + racing + expiring

    /// Runs all rules and throws one `TestFailure` that lists those that do not hold.
    public static func run(on subject: Subject, file: String = #fileID, line: Int = #line) async throws {
        try await Case.run(self.cases, file: file, line: line) { subject }
    }
}
