public import CacheKit

/// What every store of a cache must do, as checks that need no test framework: a violation throws `TestFailure` with file and line.
///
/// ```swift
/// let suite = CacheStoreConformance { MyStore() } passTime: { try await Task.sleep(for: $0) }
/// let report = try await suite.run()
/// print(report.skipped)      // what the store's capabilities do not cover
/// ```
public struct CacheStoreConformance: Sendable {
    /// What a check works with.
    public struct Subject: Sendable {
        public let store: any CacheStore
        /// Used by this check alone.
        public let namespace: String
        /// Lets time pass, at the store too.
        public let passTime: @Sendable (Duration) async throws -> Void
    }

    /// One rule.
    public struct Check: Sendable {
        /// A sentence that states the rule.
        public let name: String
        let requirement: Requirement
        let body: @Sendable (Subject) async throws -> Void
    }

    enum Requirement: Sendable {
        case none, counters

        /// Why a store without the capability skips the check; `nil` when it does not.
        func reasonToSkip(_ capabilities: CacheStoreCapabilities) -> String? {
            switch self {
            case .none: nil
            case .counters: capabilities.counters ? nil : "the store keeps no counters"
            }
        }
    }

    /// What ran.
    public struct Report: Hashable, Sendable {
        public var passed: [String] = []
        /// Checks that need a capability which the store lacks, with the reason.
        public var skipped: [String: String] = [:]
    }

    /// All checks.
    public var checks: [Check] { Self.entryChecks + Self.leaseChecks + Self.tagChecks + Self.counterChecks }

    private let makeStore: @Sendable () async throws -> any CacheStore
    private let passTime: @Sendable (Duration) async throws -> Void

    /// - Parameters:
    ///   - makeStore: the store to check; the same one or another each time.
    ///   - passTime: lets this much time pass for the store: moves its manual time, or waits.
    public init(
        makeStore: @escaping @Sendable () async throws -> any CacheStore,
        passTime: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.makeStore = makeStore
        self.passTime = passTime
    }

    /// Runs all checks. Throws the first violation.
    public func run() async throws -> Report {
        var report = Report()
        for check in self.checks {
            if let reason = try await self.run(check) { report.skipped[check.name] = reason } else { report.passed.append(check.name) }
        }
        return report
    }

    /// Runs one check. The reason when it was skipped.
    public func run(_ check: Check) async throws -> String? {
        let store = try await self.makeStore()
        if let reason = check.requirement.reasonToSkip(store.capabilities) { return reason }
        let namespace = "conformance-\(UInt64.random(in: .min ... .max))"
        try await check.body(Subject(store: store, namespace: namespace, passTime: self.passTime))
        return nil
    }
}
