/// Stops calling a service that fails, so that it can recover and its callers do not wait, and lets a few calls find out when it is back.
///
/// The idea is Michael Nygard's (*Release It!*, 2007). *Closed*, it lets every call through and counts; when the share of failures in the
/// window reaches the limit it *opens* and rejects calls for a while; then, *half open*, it admits a bounded number of probes and
/// judges by them: back to closed, or open again. Results of calls that were admitted in an earlier state change nothing.
///
/// ```swift
/// let breaker = CircuitBreaker("payments")
/// let receipt = try await breaker.withPermit { try await payments.charge(order) }   // or CircuitOpenError, at once
/// ```
public final class CircuitBreaker: Sendable {
    public enum State: Hashable, Sendable {
        case closed
        case open
        case halfOpen
        /// By ``CircuitBreaker/forceOpen()``.
        case forcedOpen
        /// By ``CircuitBreaker/disable()``.
        case disabled
    }

    /// How a call ended, as far as the service's health is concerned.
    public enum Outcome: Hashable, Sendable {
        case success
        case failure
        /// Says nothing about the service: the caller gave up, or the request was wrong.
        case ignored
    }

    /// In errors, logs and metrics.
    public let name: String
    private let time: TimeSource
    private let onChange: (@Sendable (_ from: State, _ to: State) -> Void)?
    private let machine: Locked<CircuitBreakerMachine>

    /// - Parameter onChange: is called after each change of state, outside any lock; for logs and metrics. Two changes at nearly the same
    ///   time may be told in either order.
    public init(
        _ name: String, configuration: Configuration = Configuration(), time: TimeSource = .system,
        onChange: (@Sendable (_ from: State, _ to: State) -> Void)? = nil
    ) {
        self.name = name
        self.time = time
        self.onChange = onChange
        self.machine = Locked(CircuitBreakerMachine(configuration, at: time.now()))
    }

    /// The present state. An open breaker whose time is over stays `open` until the next call asks.
    public var state: State {
        self.machine.withLock { $0.phase }
    }

    /// Asks to make one call. The permit takes its result; one that is let go without a result counts as ``Outcome/ignored``.
    ///
    /// - Throws: ``CircuitOpenError``.
    /// - Complexity: O(1).
    public func admit() throws(CircuitOpenError) -> Permit {
        let now = self.time.now()
        switch self.change({ $0.admit(at: now) }) {
        case .admitted(let permit): return Permit(permit, of: self)
        case .rejected(let wait): throw CircuitOpenError(name: self.name, retryAfter: wait)
        }
    }

    /// Makes `call` if the breaker admits it, and reports how it ended.
    ///
    /// - Parameter judge: how a result counts. By default a value is a success, an error a failure, and neither
    ///   `CancellationError` nor any error of a cancelled task says anything.
    /// - Throws: ``CircuitOpenError`` without making the call; else what `call` throws.
    public func withPermit<Value>(
        judge: (Result<Value, any Error>) -> Outcome = { Outcome(of: $0) }, _ call: () async throws -> Value
    ) async throws -> Value {
        let permit = try self.admit()
        do {
            let value = try await call()
            permit.report(judge(.success(value)))
            return value
        } catch {
            permit.report(judge(.failure(error)))
            throw error
        }
    }

    /// Closes the breaker and forgets what it counted; also ends ``forceOpen()`` and ``disable()``.
    public func reset() {
        let now = self.time.now()
        self.change { $0.close(at: now) }
    }

    /// Rejects every call until ``reset()``: for a service that is known to be away.
    public func forceOpen() {
        self.change { $0.forceOpen() }
    }

    /// Admits every call and counts none until ``reset()``.
    public func disable() {
        self.change { $0.disable() }
    }

    fileprivate func record(_ outcome: Outcome, of permit: CircuitBreakerMachine.Permit) {
        let now = self.time.now()
        self.change { $0.record(outcome, of: permit, at: now) }
    }

    private func change<Result: Sendable>(_ body: (inout CircuitBreakerMachine) -> Result) -> Result {
        let (result, before, after) = self.machine.withLock { machine in
            let before = machine.phase
            let result = body(&machine)
            return (result, before, machine.phase)
        }
        if before != after { self.onChange?(before, after) }
        return result
    }

    /// The right to make one call, with the duty to say how it ended.
    public struct Permit: ~Copyable, Sendable {
        private let breaker: CircuitBreaker
        private let permit: CircuitBreakerMachine.Permit
        private var isReported = false

        fileprivate init(_ permit: CircuitBreakerMachine.Permit, of breaker: CircuitBreaker) {
            self.permit = permit
            self.breaker = breaker
        }

        /// Says how the call ended; the permit is used up.
        public consuming func report(_ outcome: Outcome) {
            self.isReported = true
            self.breaker.record(outcome, of: self.permit)
        }

        deinit {
            if !self.isReported { self.breaker.record(.ignored, of: self.permit) }
        }
    }
}

extension CircuitBreaker.Outcome {
    /// A value is a success, an error a failure; cancellation says nothing about the service.
    public init<Value>(of result: Result<Value, any Error>) {
        switch result {
        case .success: self = .success
        case .failure(let error): self = error is CancellationError || Task.isCancelled ? .ignored : .failure
        }
    }
}
