import DequeModule
import NIOCore
import ScaleCore

extension ConnectionStateMachine {
    static var shutDownError: RedisError { .clientShutDown }

    /// The channel failed or ended, or could not be made.
    mutating func lost(epoch: UInt64, _ error: RedisError, at now: Instant, using random: inout some RandomNumberGenerator) -> Turn {
        guard epoch == self.epoch else { return Turn() }
        switch self.phase {
        case .opening: return self.opening.isConnecting ? self.giveUp(error, at: now, using: &random) : Turn()
        case .ready, .draining: return self.giveUp(error, at: now, using: &random)
        case .disconnected, .refused, .closed: return Turn()
        }
    }

    /// The coarse timer: everything whose time has passed.
    mutating func tick(at now: Instant, using random: inout some RandomNumberGenerator) -> Turn {
        // Callers first: the reason that they are told is that of the last failure, not that their own time is over.
        let expired = self.waiting.removeExpired(at: now)
        let reason = expired.isEmpty ? nil : self.expiryError
        var turn = self.expire(at: now, using: &random)
        if let reason { turn.failed.append(contentsOf: expired.map { ($0.waiter, reason) }) }
        return turn
    }

    /// Whether the timer may stop: nothing is connected and nobody waits.
    var isQuiet: Bool {
        switch self.phase {
        case .disconnected, .refused, .closed: self.waiting.isEmpty
        case .opening, .ready, .draining: false
        }
    }

    /// Takes no more calls; those in flight and those that wait on a working connection may finish until `deadline`.
    mutating func shutDown(at now: Instant, deadline: Instant) -> Turn {
        switch self.phase {
        case .ready where !self.inFlight.isEmpty || !self.waiting.isEmpty:
            self.phase = .draining(deadline: deadline)
            return Turn()
        case .draining:
            return Turn()
        case .ready, .disconnected, .opening, .refused, .closed:
            return self.finish(Self.shutDownError)
        }
    }

    /// Ends at once: whatever is in flight fails.
    mutating func close(_ error: RedisError) -> Turn {
        self.finish(error)
    }
}

extension ConnectionStateMachine {
    private mutating func expire(at now: Instant, using random: inout some RandomNumberGenerator) -> Turn {
        switch self.phase {
        case .opening:
            guard let error = self.opening.expiry(at: now) else { return Turn() }
            return self.abandon(error, at: now, using: &random)
        case .ready, .draining:
            return self.expireCalls(at: now, using: &random)
        case .disconnected, .refused, .closed:
            return Turn()
        }
    }

    private mutating func expireCalls(at now: Instant, using random: inout some RandomNumberGenerator) -> Turn {
        if case .draining(let deadline) = self.phase, deadline <= now { return self.finish(Self.shutDownError) }
        let limit = self.settings.commandTimeout
        if let oldest = self.batches.first, self.patience < ConnectionSettings.endless,
            oldest.at.advanced(by: limit + self.patience) <= now
        {
            return self.abandon(RedisError(code: .timeout, message: "no reply within \(limit)"), at: now, using: &random)
        }
        if let idle = self.settings.idleTimeout, self.inFlight.isEmpty, self.waiting.isEmpty,
            self.lastActivity.advanced(by: idle) <= now
        {
            guard self.settings.reconnects else { return self.finish(RedisError(code: .connectionLost, message: "idle for \(idle)")) }
            self.phase = .disconnected(notBefore: now)
            self.opening.end()
            self.forget()
            return Turn(closesChannel: true)
        }
        return Turn()
    }

    /// Gives the connection up by our own decision.
    private mutating func abandon(_ error: RedisError, at now: Instant, using random: inout some RandomNumberGenerator) -> Turn {
        var turn = self.giveUp(error, at: now, using: &random)
        turn.closesChannel = true
        return turn
    }

    /// The connection is gone: fails what was written, keeps what was not, and rests before the next attempt.
    mutating func giveUp(_ error: RedisError, at now: Instant, using random: inout some RandomNumberGenerator) -> Turn {
        if case .draining = self.phase { return self.finish(error, at: now) }
        // Until it was ready once there is nothing to lose, and a server that is down is waited for.
        guard self.settings.reconnects || !self.hasBeenReady else { return self.finish(error, at: now) }
        var turn = Turn()
        self.failWritten(error, at: now, into: &turn)
        self.keepUnwritten(at: now)
        self.forget()
        self.opening.failed(error)
        let rest = self.opening.rest(using: &random)
        self.phase = .disconnected(notBefore: now.advanced(by: rest))
        if !self.waiting.isEmpty { turn.action = .connect(epoch: self.beginAttempt(), after: rest) }
        return turn
    }

    /// The server refused the credentials: everybody is told, and the server is left alone for a while.
    mutating func refuse(_ error: RedisError, at now: Instant) -> Turn {
        guard self.settings.reconnects else { return self.finish(error) }
        var turn = Turn(closesChannel: true)
        self.opening.failed(error)
        self.forget()
        self.phase = .refused(error, until: now.advanced(by: Self.refusalRest))
        for call in self.waiting.removeAll() { turn.failed.append((call.waiter, error)) }
        return turn
    }

    /// The end, for good.
    mutating func finish(_ error: RedisError, at now: Instant = .distantFuture) -> Turn {
        if case .closed = self.phase { return Turn(action: .finish) }
        var turn = Turn(action: .finish, closesChannel: true)
        self.failWritten(error, at: now, into: &turn)
        for call in self.inFlight {
            if let waiter = call.waiter { turn.failed.append((waiter, error)) }
        }
        for call in self.waiting.removeAll() { turn.failed.append((call.waiter, error)) }
        self.opening.end()
        self.forget()
        self.phase = .closed(error)
        return turn
    }

    /// Fails every call that was handed to the channel. Those whose own time has passed are told so; the others lost their connection.
    private mutating func failWritten(_ error: RedisError, at now: Instant, into turn: inout Turn) {
        let isTimeout = error.code == .timeout
        var overdue = 0
        if isTimeout {
            let limit = self.settings.commandTimeout + self.patience
            for batch in self.batches where batch.at.advanced(by: limit) <= now { overdue += batch.calls }
        }
        var loss = error
        loss.outcome = .unknown
        var collateral = loss
        if isTimeout {
            collateral.code = .connectionLost
            collateral.message = "the connection was given up, since an earlier command got \(error.message)"
        }
        var index = 0
        while self.inFlight.count > self.unflushed {
            let call = self.inFlight.removeFirst()
            if let waiter = call.waiter { turn.failed.append((waiter, index < overdue ? loss : collateral)) }
            index += 1
        }
    }

    /// Calls that were never handed to the channel go back to the head of the queue, in their order; cancelled ones are dropped.
    private mutating func keepUnwritten(at now: Instant) {
        let deadline = now.advanced(by: self.settings.connectTimeout)
        var kept: [WaitingCall<Waiter>] = []
        for call in self.inFlight {
            guard let bytes = self.outgoing.readSlice(length: call.byteCount), let waiter = call.waiter else { continue }
            kept.append(
                WaitingCall(token: call.token, waiter: waiter, replyCount: call.replyCount, bytes: bytes, deadline: deadline))
        }
        for call in kept.reversed() { self.waiting.prepend(call) }
    }

    /// Resets what belonged to the connection that is gone.
    private mutating func forget() {
        self.inFlight.removeAll()
        self.inFlightReplies = 0
        self.partial = []
        self.batches.removeAll()
        self.outgoing = ByteBuffer()
        self.unflushed = 0
        self.isFlushScheduled = false
        self.answered = 0
        self.seen = 0
        self.looks = 0
        self.isWritable = true
        self.patience = .zero
    }

    /// Why a waiting caller got no turn in time.
    private var expiryError: RedisError {
        switch self.phase {
        case .ready, .draining:
            return RedisError(code: .timeout, message: "no turn to be sent within \(self.settings.commandTimeout)")
        case .disconnected, .opening, .refused, .closed:
            var error = self.opening.expiryError
            error.message += self.opening.lastReason
            error.serverError = self.opening.lastFailure?.serverError
            return error
        }
    }
}
