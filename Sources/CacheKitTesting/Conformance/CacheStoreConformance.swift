public import CacheKit

/// What every store of a cache must do, as checks that need no test framework: a violation throws `TestFailure` with file and line.
///
/// ```swift
/// let time = ManualTime()
/// let suite = CacheStoreConformance { MyStore(time: time.source) } passTime: { await time.advance(by: $0) }
/// let report = try await suite.run()
/// print(report.skipped)      // what the store's capabilities do not cover
/// ```
///
/// Nothing in it depends on how fast the machine is, as long as no check takes ``span`` in real time. A server whose clock cannot be
/// moved is checked by *ageing* what it stores: for a store whose only clocks are the lives and stamps of its entries, to shorten these
/// by a minute and to wait for a minute are the same.
public struct CacheStoreConformance: Sendable {
    /// What a check works with.
    public struct Subject: Sendable {
        public let store: any CacheStore
        /// Used by this check alone.
        public let namespace: String
        /// A life that is over when ``passTime`` has let this much time pass, and not before.
        public let span: Duration
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
        /// A limit that a test can reach.
        case reachableLimit

        static let reachable = 1_048_576

        /// Why a store without the capability skips the check; `nil` when it does not.
        func reasonToSkip(_ capabilities: CacheStoreCapabilities) -> String? {
            switch self {
            case .none: nil
            case .counters: capabilities.counters ? nil : "the store keeps no counters"
            case .reachableLimit:
                capabilities.maximumValueSize <= Self.reachable
                    ? nil : "the store's limit of \(capabilities.maximumValueSize) bytes is above \(Self.reachable)"
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
    public var checks: [Check] {
        Self.entryChecks + Self.conditionChecks + Self.leaseChecks + Self.tagChecks + Self.counterChecks
    }

    /// What the namespaces of all checks begin with.
    public let namespace: String
    /// The life of entries that a check lets end.
    public let span: Duration
    private let makeStore: @Sendable () async throws -> any CacheStore
    private let passTime: @Sendable (Duration) async throws -> Void

    /// - Parameters:
    ///   - namespace: what the namespaces of all checks begin with, for a `passTime` that must know what to age. By default one that
    ///     nobody else uses.
    ///   - span: how long entries live whose end is checked; ``Subject/passTime`` is called with it or a multiple. A store that can do
    ///     nothing but wait gets some seconds here: more than a busy machine needs between two calls.
    ///   - makeStore: the store to check; the same one or another each time.
    ///   - passTime: lets this much time pass for the store: moves its manual time, or ages what it stores.
    public init(
        namespace: String = "conformance-\(UInt64.random(in: .min ... .max))", span: Duration = .seconds(60),
        makeStore: @escaping @Sendable () async throws -> any CacheStore,
        passTime: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.namespace = namespace
        self.span = span
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
        let namespace = "\(self.namespace)-\(UInt64.random(in: .min ... .max))"
        try await check.body(Subject(store: store, namespace: namespace, span: self.span, passTime: self.passTime))
        return nil
    }
}
