import ScaleTesting
public import SessionStore

/// What every ``SessionStore/SessionStorage`` promises, as checks to run on one of your own.
///
/// No test framework is needed: a check that does not hold throws a `TestFailure` with file and line. Under Swift Testing each check is a
/// case:
///
/// ```swift
/// @Test(arguments: SessionStorageConformance.checks)
/// func `my storage conforms`(check: SessionStorageConformance.Check) async throws {
///     let time = ManualTime()
///     try await check.run(on: .init(MyStorage(time: time.source)) { await time.advance(by: $0) })
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
    public struct Check: Sendable, CustomStringConvertible {
        /// The rule, as a sentence.
        public let name: String
        private let body: @Sendable (Subject) async throws -> Void

        init(_ name: String, _ body: @escaping @Sendable (Subject) async throws -> Void) {
            self.name = name
            self.body = body
        }

        /// Throws a `TestFailure` when the rule does not hold, and what the storage throws.
        public func run(on subject: Subject) async throws {
            try await self.body(subject)
        }

        public var description: String { self.name }
    }

    /// All rules.
    public static let checks: [Check] = storing + concluding + rotating + racing + expiring

    /// Runs all checks and throws one `TestFailure` that lists each that failed.
    public static func run(on subject: Subject, file: String = #fileID, line: Int = #line) async throws {
        var failures: [String] = []
        for check in self.checks {
            do {
                try await check.run(on: subject)
            } catch {
                failures.append("\(check.name): \(error)")
            }
        }
        guard failures.isEmpty else {
            let summary = "\(failures.count) of \(self.checks.count) rules do not hold"
            throw TestFailure("\(summary):\n\(failures.joined(separator: "\n"))", file: file, line: line)
        }
    }
}
