import NIOCore
import ScaleCore

/// The rules of getting a connection, whatever it is for: a rest, the attempt, the greeting, and what a failure leads to.
///
/// A value, held by the state machines of commands and of subscriptions. Every attempt has an epoch, and so has what follows from it; an
/// event that carries an older epoch is ignored.
struct ConnectionOpening: Sendable {
    private enum Stage: Sendable {
        /// No attempt: there is a connection already, or nobody wants one.
        case none
        case resting
        case connecting(deadline: Instant)
        /// Connected; the greeting is sent and `answered` of its replies have come.
        case greeting(answered: Int, deadline: Instant)
    }

    /// Where a reply to the greeting has led.
    enum Progress: Sendable {
        case unfinished
        /// The connection can be used. What else belongs to opening it has to be done by `deadline`.
        case open(deadline: Instant)
        /// Worth another attempt.
        case failed(RedisError)
        /// Another attempt soon would be refused as well.
        case refused(RedisError)
    }

    private let greeting: Greeting
    private let timeout: Duration
    private let backoff: RetryPolicy
    private var stage = Stage.none
    /// Failures since the last success.
    private var failures = 0

    /// The number of the present attempt or connection, or of the last when there is none.
    private(set) var epoch: UInt64 = 0
    private(set) var lastFailure: RedisError?

    init(settings: ConnectionSettings) {
        self.greeting = settings.greeting
        self.timeout = settings.connectTimeout
        self.backoff = settings.backoff
    }
}

// MARK: - The way to a connection

extension ConnectionOpening {
    /// Begins an attempt, with a rest before it. Returns its epoch.
    mutating func begin() -> UInt64 {
        self.stage = .resting
        self.epoch += 1
        return self.epoch
    }

    /// The rest before the attempt is over. True when the attempt is to be made.
    mutating func restEnded(epoch: UInt64, at now: Instant) -> Bool {
        guard epoch == self.epoch, case .resting = self.stage else { return false }
        self.stage = .connecting(deadline: now.advanced(by: self.timeout))
        return true
    }

    /// The channel is up. Returns the greeting to write, or nil when the connection is no longer wanted.
    mutating func connected(epoch: UInt64) -> ByteBuffer? {
        guard epoch == self.epoch, case .connecting(let deadline) = self.stage else { return nil }
        self.stage = .greeting(answered: 0, deadline: deadline)
        var bytes = ByteBuffer()
        self.greeting.append(to: &bytes)
        return bytes
    }

    /// One reply to the greeting.
    mutating func greeted(_ reply: RedisValue) -> Progress {
        let steps = self.greeting.steps
        guard case .greeting(let answered, let deadline) = self.stage, answered < steps.count else { return .unfinished }
        switch Greeting.judge(reply, to: steps[answered]) {
        case .proceed where answered + 1 < steps.count:
            self.stage = .greeting(answered: answered + 1, deadline: deadline)
            return .unfinished
        case .proceed:
            self.stage = .none
            return .open(deadline: deadline)
        case .failed(let error):
            return .failed(error)
        case .refused(let error):
            return .refused(error)
        }
    }

    /// An attempt that was made is under way, so that there is something to lose.
    var isConnecting: Bool {
        switch self.stage {
        case .connecting, .greeting: true
        case .none, .resting: false
        }
    }

    /// What is to be said of an attempt that takes too long; nil while it may go on.
    func expiry(at now: Instant) -> RedisError? {
        switch self.stage {
        case .connecting(let deadline), .greeting(_, let deadline): deadline <= now ? self.expiryError : nil
        case .none, .resting: nil
        }
    }

    var expiryError: RedisError {
        RedisError(code: .connectionFailed, message: "no connection within \(self.timeout)")
    }
}

// MARK: - Success and failure

extension ConnectionOpening {
    /// The connection has proved its use: the next rest is a first one again.
    mutating func succeeded() {
        guard self.failures > 0 else { return }
        self.failures = 0
        self.lastFailure = nil
    }

    /// The attempt or the connection has failed.
    mutating func failed(_ error: RedisError) {
        self.failures += 1
        self.lastFailure = error
        self.end()
    }

    /// How long to rest after the failures so far.
    func rest(using random: inout some RandomNumberGenerator) -> Duration {
        self.backoff.delay(afterFailures: self.failures, using: &random)
    }

    /// The attempt or connection is given up. Its late events are recognised by their epoch.
    mutating func end() {
        self.stage = .none
        self.epoch += 1
    }

    /// The reason of the last failure, as the rest of a sentence; empty when there was none.
    var lastReason: String {
        self.lastFailure.map { "; the last attempt failed: \($0.message)" } ?? ""
    }
}
