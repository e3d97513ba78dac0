import DequeModule
import NIOCore
import ScaleCore

/// The rules of one pipelining connection through all its lives: connecting, greeting, work, loss, rest and connecting again.
///
/// A value without lock, channel, clock or randomness: each event is a method that gets the time and returns what is to be done. The
/// caller decides under its lock and acts outside it.
///
/// - Replies belong to calls by order alone. So a call that nobody waits for any more (its caller was cancelled) stays in its place until
///   its replies have come, and whenever the order could be in doubt (a time-out, bytes that are not RESP) the connection is given up.
/// - A call whose bytes were handed to the channel fails with an unknown outcome when the connection is lost. A call whose bytes were
///   not is kept, and sent on the next connection.
/// - Every connection has an epoch; events of an older epoch are ignored.
///
/// `Waiter` is whoever waits for a call: a continuation in the shell, a number in tests.
struct ConnectionStateMachine<Waiter> {
    enum Phase {
        /// No connection, and nobody who wants one. None is tried before `notBefore`.
        case disconnected(notBefore: Instant)
        /// Callers wait for an attempt: it rests, connects or greets, as ``ConnectionOpening`` knows.
        case opening
        case ready
        /// The server refused the credentials: callers are refused without another attempt until `until`.
        case refused(RedisError, until: Instant)
        /// Shut down while calls are in flight: they may finish, no others are taken.
        case draining(deadline: Instant)
        case closed(RedisError)
    }

    /// What is to be done after an event.
    struct Turn {
        enum Action {
            case none
            /// Run ``ConnectionStateMachine/flush(at:)`` on the event loop.
            case wake
            /// Begin an attempt to connect after a rest.
            case connect(epoch: UInt64, after: Duration)
            /// The connection is closed for good.
            case finish
        }

        var action = Action.none
        /// The channel of the present or last epoch is to be closed.
        var closesChannel = false
        /// These calls have failed.
        var failed: [(waiter: Waiter, error: RedisError)] = []
    }

    enum SubmitEffect {
        /// The call is queued, and somebody else has already seen to the rest.
        case parked
        case wake
        case connect(epoch: UInt64, after: Duration)
        case refuse(RedisError)
    }

    enum FlushEffect {
        case none
        case write(ByteBuffer)
        /// More calls are coming: run ``ConnectionStateMachine/flush(at:)`` again in the next turn of the loop.
        case lookAgain
    }

    /// Calls that were handed to the channel together, and when.
    struct Batch {
        var calls: Int
        let at: Instant
    }

    /// How long a server that refused the credentials is left alone.
    static var refusalRest: Duration { .seconds(5) }

    /// How many turns of the loop a write may wait for more calls.
    static var maximumLooks: Int { 32 }

    let settings: ConnectionSettings
    var phase = Phase.disconnected(notBefore: Instant(nanoseconds: .min))
    var opening: ConnectionOpening
    var hasBeenReady = false

    var inFlight = Deque<InFlightCall<Waiter>>()
    var inFlightReplies = 0
    /// Replies that the first call in flight has already got, when it expects several.
    var partial: [RedisValue] = []
    var batches = Deque<Batch>()
    /// The encoded bytes of the last `unflushed` calls in flight.
    var outgoing = ByteBuffer()
    var unflushed = 0
    var isFlushScheduled = false
    /// Callers that got their replies since the last write; calls that the loop saw when it last looked, and how often it has looked.
    var answered = 0
    var seen = 0
    var looks = 0
    var isWritable = true
    var waiting = WaitingQueue<Waiter>()
    var lastActivity = Instant(nanoseconds: .min)
    /// How much longer than the command time-out the calls in flight may take: the blocking time that they ask for.
    var patience = Duration.zero

    init(settings: ConnectionSettings) {
        self.settings = settings
        self.opening = ConnectionOpening(settings: settings)
    }

    /// The number of the present connection, or of the last when there is none.
    var epoch: UInt64 { self.opening.epoch }
}

// MARK: - Calls

extension ConnectionStateMachine {
    /// Takes a call, encodes it and gives it its place in the order.
    ///
    /// `now` is read only off the fast path. Constant time, apart from the encoding.
    @inline(__always)
    mutating func submit(
        _ token: CallToken, _ waiter: Waiter, _ command: some WireCommand, patience: Duration = .zero, now: () -> Instant
    ) -> SubmitEffect {
        guard case .ready = self.phase, self.waiting.isEmpty, self.hasRoom(for: command.replyCount) else {
            return self.submitSlowly(token, waiter, command, patience: patience, now: now())
        }
        let before = self.outgoing.readableBytes
        command.append(to: &self.outgoing)
        if patience > self.patience { self.patience = patience }
        self.admit(token, waiter, replies: command.replyCount, bytes: self.outgoing.readableBytes - before)
        return self.scheduleFlush() ? .wake : .parked
    }

    private mutating func submitSlowly(
        _ token: CallToken, _ waiter: Waiter, _ command: some WireCommand, patience: Duration, now: Instant
    ) -> SubmitEffect {
        switch self.phase {
        case .closed(let error): return .refuse(error)
        case .draining: return .refuse(Self.shutDownError)
        case .refused(let error, let until) where now < until: return .refuse(error)
        case .refused, .disconnected, .opening, .ready: break
        }
        guard self.waiting.count < self.settings.maximumWaiting else {
            return .refuse(RedisError(code: .overloaded, message: "\(self.waiting.count) callers wait already"))
        }
        var bytes = ByteBuffer()
        command.append(to: &bytes)
        self.waiting.append(
            WaitingCall(
                token: token, waiter: waiter, replyCount: command.replyCount, bytes: bytes, deadline: now.advanced(by: self.waitLimit),
                patience: patience))
        switch self.phase {
        case .disconnected(let notBefore):
            return .connect(epoch: self.beginAttempt(), after: max(.zero, now < notBefore ? now.duration(to: notBefore) : .zero))
        case .refused:
            return .connect(epoch: self.beginAttempt(), after: .zero)
        case .opening, .ready, .draining, .closed:
            return .parked
        }
    }

    /// How long a caller waits for a connection, or for its turn on one.
    private var waitLimit: Duration {
        switch self.phase {
        case .ready, .draining: self.settings.commandTimeout
        case .disconnected, .opening, .refused, .closed: self.settings.connectTimeout
        }
    }

    mutating func beginAttempt() -> UInt64 {
        self.phase = .opening
        return self.opening.begin()
    }

    @inline(__always)
    private func hasRoom(for replies: Int) -> Bool {
        (self.inFlightReplies + replies <= self.settings.maximumInFlight || self.inFlight.isEmpty)
            && (self.outgoing.readableBytes < self.settings.maximumUnwrittenBytes)
    }

    @inline(__always)
    private mutating func admit(_ token: CallToken, _ waiter: Waiter, replies: Int, bytes: Int) {
        self.inFlight.append(InFlightCall(token: token, waiter: waiter, replyCount: replies, byteCount: bytes))
        self.inFlightReplies += replies
        self.unflushed += 1
    }

    /// True when the caller is the first since the last flush and so has to see that there is a next one.
    @inline(__always)
    private mutating func scheduleFlush() -> Bool {
        guard !self.isFlushScheduled, self.isWritable else { return false }
        self.isFlushScheduled = true
        return true
    }

    /// Moves waiting calls into flight as far as there is room; true when a flush has to be scheduled.
    mutating func promote() -> Bool {
        while let next = self.waiting.first, self.hasRoom(for: next.replyCount), let call = self.waiting.popFirst() {
            self.outgoing.writeImmutableBuffer(call.bytes)
            if call.patience > self.patience { self.patience = call.patience }
            self.admit(call.token, call.waiter, replies: call.replyCount, bytes: call.bytes.readableBytes)
        }
        return self.unflushed > 0 && self.scheduleFlush()
    }

    /// Forgets who waits for the call. Returns the waiter, who is to be told, or nil when nobody waits (any more).
    ///
    /// A call that has a place in the order keeps it. Linear in the number of calls in flight.
    mutating func cancel(_ token: CallToken) -> Waiter? {
        if let call = self.waiting.remove(token) { return call.waiter }
        guard let index = self.inFlight.lastIndex(where: { $0.token == token }) else { return nil }
        let waiter = self.inFlight[index].waiter
        self.inFlight[index].waiter = nil
        return waiter
    }
}

// MARK: - The channel

extension ConnectionStateMachine {
    /// The rest before an attempt is over. True when the attempt is to be made.
    mutating func restEnded(epoch: UInt64, at now: Instant) -> Bool {
        self.opening.restEnded(epoch: epoch, at: now)
    }

    /// The channel is up. Returns the greeting to write, or nil when the connection is no longer wanted.
    mutating func connected(epoch: UInt64) -> ByteBuffer? {
        guard let greeting = self.opening.connected(epoch: epoch) else { return nil }
        self.isWritable = true
        self.isFlushScheduled = false
        return greeting
    }

    /// What to write now, if anything.
    ///
    /// Callers that were answered together come back one after the other, and every write costs both sides a system call and a wake-up.
    /// So while fewer have come back than were answered, and more come from one look to the next, the write waits for another turn of
    /// the loop. A lone caller never waits, and nobody waits for one who does not come.
    mutating func flush(at now: Instant) -> FlushEffect {
        switch self.phase {
        case .ready, .draining: break
        case .disconnected, .opening, .refused, .closed:
            self.isFlushScheduled = false
            return .none
        }
        guard self.unflushed > 0, self.isWritable else {
            self.isFlushScheduled = false
            return .none
        }
        if self.unflushed < self.answered, self.unflushed > self.seen, self.looks < Self.maximumLooks {
            self.seen = self.unflushed
            self.looks += 1
            return .lookAgain
        }
        self.isFlushScheduled = false
        self.answered = 0
        self.seen = 0
        self.looks = 0
        self.batches.append(Batch(calls: self.unflushed, at: now))
        self.unflushed = 0
        self.lastActivity = now
        let bytes = self.outgoing
        self.outgoing = ByteBuffer()
        return .write(bytes)
    }

    /// The channel takes bytes again, or takes no more. True when a flush has to be scheduled.
    mutating func writabilityChanged(_ isWritable: Bool, epoch: UInt64) -> Bool {
        guard epoch == self.epoch else { return false }
        self.isWritable = isWritable
        return isWritable && self.unflushed > 0 && self.scheduleFlush()
    }
}

extension ConnectionStateMachine: Sendable where Waiter: Sendable {}
extension ConnectionStateMachine.Turn: Sendable where Waiter: Sendable {}
