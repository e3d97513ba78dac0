/// The rules of ``CircuitBreaker`` as a value, in the manner of resilience4j.
///
/// Each change of state begins a new *generation*. A permit carries the generation in which its call was admitted, and the result
/// of a call from an older one is ignored: calls that began before the breaker opened must not close it, nor open it again
/// after it has closed.
package struct CircuitBreakerMachine: Sendable {
    /// A call that was admitted, and under which generation.
    package struct Permit: Hashable, Sendable {
        fileprivate let generation: UInt64
    }

    private enum State {
        case closed(OutcomeWindow)
        case open(until: Instant)
        case halfOpen(Probes)
        case forcedOpen
        case disabled
    }

    /// The calls that find out whether the service is back.
    private struct Probes {
        var admitted = 0
        var succeeded = 0
        var failed = 0
        /// When results that have not come by then count as a failure of them all.
        let until: Instant
    }

    private let configuration: CircuitBreaker.Configuration
    private var state: State
    private var generation: UInt64 = 0

    package init(_ configuration: CircuitBreaker.Configuration, at now: Instant) {
        self.configuration = configuration
        self.state = .closed(OutcomeWindow(configuration.window, at: now))
    }

    /// What the breaker does with calls. An open breaker whose time is over stays open until somebody asks to be admitted.
    package var phase: CircuitBreaker.State {
        switch self.state {
        case .closed: .closed
        case .open: .open
        case .halfOpen: .halfOpen
        case .forcedOpen: .forcedOpen
        case .disabled: .disabled
        }
    }

    // MARK: Admission

    package enum Admission: Hashable, Sendable {
        case admitted(Permit)
        /// `retryAfter` is when another try makes sense; `nil` when that is for a person to say.
        case rejected(retryAfter: Duration?)
    }

    package mutating func admit(at now: Instant) -> Admission {
        switch self.state {
        case .closed, .disabled:
            return .admitted(Permit(generation: self.generation))
        case .forcedOpen:
            return .rejected(retryAfter: nil)
        case .open(let until) where now < until:
            return .rejected(retryAfter: now.duration(to: until))
        case .open:
            self.enter(.halfOpen(Probes(admitted: 1, until: now.advanced(by: self.configuration.effectiveProbeDuration))))
            return .admitted(Permit(generation: self.generation))
        case .halfOpen(let probes) where probes.until <= now:
            self.open(at: now)
            return .rejected(retryAfter: self.configuration.effectiveOpenDuration)
        case .halfOpen(var probes):
            guard probes.admitted < self.configuration.effectiveProbes else {
                return .rejected(retryAfter: now.duration(to: probes.until))
            }
            probes.admitted += 1
            self.state = .halfOpen(probes)
            return .admitted(Permit(generation: self.generation))
        }
    }

    // MARK: Results

    /// How an admitted call ended. Each permit is to be reported once.
    package mutating func record(_ outcome: CircuitBreaker.Outcome, of permit: Permit, at now: Instant) {
        guard permit.generation == self.generation else { return }
        switch self.state {
        case .open, .forcedOpen, .disabled:
            break
        case .closed(var window):
            guard outcome != .ignored else { return }
            self.state = .disabled  // keeps the window's storage unshared, so that it is changed in place
            let (calls, failures) = window.record(isFailure: outcome == .failure, at: now)
            self.state = .closed(window)
            if calls >= self.configuration.effectiveMinimumCalls, self.isTooMany(failures, of: calls) { self.open(at: now) }
        case .halfOpen(var probes):
            switch outcome {
            case .ignored: probes.admitted -= 1
            case .success: probes.succeeded += 1
            case .failure: probes.failed += 1
            }
            self.state = .halfOpen(probes)
            self.judge(probes, at: now)
        }
    }

    /// As soon as the results still to come cannot change the judgement, it is made.
    private mutating func judge(_ probes: Probes, at now: Instant) {
        let total = self.configuration.effectiveProbes
        if self.isTooMany(probes.failed, of: total) {
            self.open(at: now)
        } else if !self.isTooMany(total - probes.succeeded, of: total) {
            self.close(at: now)
        }
    }

    private func isTooMany(_ failures: Int, of calls: Int) -> Bool {
        // A quotient is rounded as the literal it is compared with; a product is not: 0.07 × 100 is more than 7.
        failures > 0 && Double(failures) / Double(calls) >= self.configuration.effectiveFailureRatio
    }

    // MARK: Changes of state

    /// Back to closed, with nothing remembered.
    package mutating func close(at now: Instant) {
        self.enter(.closed(OutcomeWindow(self.configuration.window, at: now)))
    }

    /// Rejects every call until told otherwise.
    package mutating func forceOpen() {
        self.enter(.forcedOpen)
    }

    /// Admits every call until told otherwise.
    package mutating func disable() {
        self.enter(.disabled)
    }

    private mutating func open(at now: Instant) {
        self.enter(.open(until: now.advanced(by: self.configuration.effectiveOpenDuration)))
    }

    private mutating func enter(_ state: State) {
        self.state = state
        self.generation &+= 1
    }
}

extension CircuitBreaker.Configuration {
    fileprivate var effectiveMinimumCalls: Int {
        // A window of n calls never holds more than n: a higher minimum would mean that the breaker never opens.
        switch self.window {
        case .calls(let count): max(min(self.minimumCalls, count), 1)
        case .time: max(self.minimumCalls, 1)
        }
    }

    fileprivate var effectiveFailureRatio: Double {
        self.failureRatio.isNaN ? 1 : min(max(self.failureRatio, 0), 1)
    }

    fileprivate var effectiveOpenDuration: Duration { max(self.openDuration, .zero) }

    fileprivate var effectiveProbes: Int { max(self.probes, 1) }

    /// Never zero: probes that are out of time when they begin would open the breaker again for ever.
    fileprivate var effectiveProbeDuration: Duration {
        max(self.probeDuration ?? self.openDuration, .milliseconds(1))
    }
}
