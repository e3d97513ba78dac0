/// Where a part of ScaleKit takes its randomness from: the system's secure generator, or one that a test has seeded.
///
/// It is a `RandomNumberGenerator`, to be passed as `using: &source`; copies share one generator, so all parts that hold a copy
/// draw from one sequence. Identifiers and secrets come from ``system`` alone.
public struct RandomSource: RandomNumberGenerator, Sendable {
    private let shared: Shared?

    /// `SystemRandomNumberGenerator`: cryptographically secure, and safe to use from any thread.
    public static let system = RandomSource(shared: nil)

    /// A source that draws from `generator` under a lock.
    public init(_ generator: some RandomNumberGenerator & Sendable) {
        self.shared = Shared(generator)
    }

    /// Whether it is ``system``.
    var isSystem: Bool { self.shared == nil }

    private init(shared: Shared?) {
        self.shared = shared
    }

    public func next() -> UInt64 {
        guard let shared else {
            var system = SystemRandomNumberGenerator()
            return system.next()
        }
        return shared.next()
    }

    private final class Shared: Sendable {
        private let generator: Locked<any RandomNumberGenerator & Sendable>

        init(_ generator: any RandomNumberGenerator & Sendable) {
            self.generator = Locked(generator)
        }

        func next() -> UInt64 {
            self.generator.withLock { $0.next() }
        }
    }
}
