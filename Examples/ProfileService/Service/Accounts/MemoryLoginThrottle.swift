public import ScaleCore

/// The login throttle of a service without a shared store.
public final class MemoryLoginThrottle: LoginThrottle {
    private let time: TimeSource
    /// By the bytes of the account's name, as the database compares them: as Swift strings, "é" as one scalar and as two are one.
    private let accounts = Locked<[[UInt8]: FailureWindow]>([:])
    private static let pruneAbove = 10_000

    public init(time: TimeSource = .system) {
        self.time = time
    }

    public func refusal(of account: String) async throws -> Duration? {
        let now = self.time.now()
        return self.accounts.withLock { $0[Array(account.utf8)]?.refusal(at: now) }
    }

    public func recordFailure(of account: String) async throws -> Duration? {
        let now = self.time.now()
        return self.accounts.withLock { accounts in
            if accounts.count > Self.pruneAbove {
                accounts = accounts.filter { !$0.value.isOver(at: now) }
            }
            return accounts[Array(account.utf8), default: FailureWindow()].record(at: now)
        }
    }
}

/// The latest failures of one account.
struct FailureWindow {
    private var failures: [Instant] = []

    func refusal(at now: Instant) -> Duration? {
        guard self.failures.count >= LoginThrottlePolicy.failures, let oldest = self.failures.first else { return nil }
        let remaining = now.duration(to: oldest.advanced(by: LoginThrottlePolicy.window))
        return remaining > .zero ? remaining : nil
    }

    mutating func record(at now: Instant) -> Duration? {
        if let refusal = self.refusal(at: now) { return refusal }
        if self.failures.count >= LoginThrottlePolicy.failures { self.failures.removeFirst() }
        self.failures.append(now)
        return nil
    }

    func isOver(at now: Instant) -> Bool {
        guard let newest = self.failures.last else { return true }
        return newest.advanced(by: LoginThrottlePolicy.window) <= now
    }
}
