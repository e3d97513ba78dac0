import NIOCore
import ScaleCore

/// The rules of one subscribing connection: greeting, subscribing, messages, signs of life, loss and subscribing again.
///
/// A value like ``ConnectionStateMachine``: events in, effects out, time as an argument.
struct SubscriptionStateMachine: Sendable {
    enum Phase: Sendable {
        case idle
        /// An attempt rests, connects or greets, as ``ConnectionOpening`` knows.
        case opening
        /// `SUBSCRIBE` is written; so many confirmations are still to come.
        case subscribing(missing: Int, deadline: Instant)
        case live
        case closed
    }

    enum Effect: Sendable {
        case write(ByteBuffer)
        case emit(RedisSubscriptionEvent)
        /// Subscribed for the first time.
        case started
        /// Connected again after a rest; the channel that there was is to be closed.
        case reconnect(epoch: UInt64, after: Duration)
        /// Over; the channel is to be closed.
        case fail(RedisError)
    }

    private let settings: ConnectionSettings
    private var channels: [String]
    /// Channels that came later, each once.
    private var added: Set<ExactName> = []
    /// Confirmations of channels added to the present connection that have not come yet.
    private var unconfirmed = 0
    private let patterns: [String]
    private(set) var phase = Phase.idle
    private var opening: ConnectionOpening
    private var hasStarted = false
    private var lastTraffic = Instant(nanoseconds: .min)
    private var pingDeadline: Instant?
    /// Until when the first subscription must stand.
    private var startDeadline = Instant.distantFuture

    init(settings: ConnectionSettings, channels: [String], patterns: [String]) {
        self.settings = settings
        self.channels = channels
        self.patterns = patterns
        self.opening = ConnectionOpening(settings: settings)
    }

    var epoch: UInt64 { self.opening.epoch }

    /// Begins the first attempt. A subscription that the client has closed before it came this far never connects.
    mutating func start(at now: Instant) -> Effect {
        switch self.phase {
        case .closed: return .fail(.clientShutDown)
        case .idle, .opening, .subscribing, .live: break
        }
        self.startDeadline = now.advanced(by: self.settings.connectTimeout)
        self.phase = .opening
        return .reconnect(epoch: self.opening.begin(), after: .zero)
    }

    mutating func restEnded(epoch: UInt64, at now: Instant) -> Bool {
        self.opening.restEnded(epoch: epoch, at: now)
    }

    mutating func connected(epoch: UInt64) -> ByteBuffer? {
        self.opening.connected(epoch: epoch)
    }

    mutating func received(_ reply: RedisValue, epoch: UInt64, at now: Instant, using random: inout some RandomNumberGenerator) -> Effect? {
        guard epoch == self.epoch else { return nil }
        self.lastTraffic = now
        self.pingDeadline = nil
        switch self.phase {
        case .opening:
            return self.greeted(reply, using: &random)
        case .subscribing(let missing, let deadline):
            return self.confirmed(reply, missing: missing, deadline: deadline)
        case .live:
            return Self.message(in: reply).map { .emit(.message($0)) } ?? self.answered(reply)
        case .idle, .closed:
            return nil
        }
    }

    mutating func lost(epoch: UInt64, _ error: RedisError, at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        guard epoch == self.epoch else { return [] }
        switch self.phase {
        case .opening: return self.opening.isConnecting ? self.giveUp(error, using: &random) : []
        case .subscribing, .live: return self.giveUp(error, using: &random)
        case .idle, .closed: return []
        }
    }

    mutating func tick(at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        if case .closed = self.phase { return [] }
        if !self.hasStarted, self.startDeadline <= now {
            let message = "no subscription within \(self.settings.connectTimeout)\(self.opening.lastReason)"
            return [self.fail(RedisError(code: .connectionFailed, message: message))]
        }
        switch self.phase {
        case .opening:
            guard let error = self.opening.expiry(at: now) else { return [] }
            return self.giveUp(error, using: &random)
        case .subscribing(_, let deadline):
            return deadline <= now ? self.giveUp(self.opening.expiryError, using: &random) : []
        case .live:
            return self.checkLife(at: now, using: &random)
        case .idle, .closed:
            return []
        }
    }

    var isClosed: Bool {
        switch self.phase {
        case .closed: true
        case .idle, .opening, .subscribing, .live: false
        }
    }

    mutating func close() {
        self.phase = .closed
        self.opening.end()
    }
}

// MARK: - Channels that come and go

extension SubscriptionStateMachine {
    /// One more channel. Where there is no connection yet, it is subscribed to with the others.
    mutating func add(_ channel: String) -> Effect? {
        if !self.channels.contains(where: { $0.hasSameBytes(as: channel) }) { self.added.insert(ExactName(channel)) }
        switch self.phase {
        case .idle, .opening, .closed:
            return nil
        case .subscribing(let missing, let deadline):
            self.phase = .subscribing(missing: missing + 1, deadline: deadline)
        case .live:
            self.unconfirmed += 1
        }
        return .write(Self.command("SUBSCRIBE", channel))
    }

    /// One channel less.
    mutating func remove(_ channel: String) -> Effect? {
        self.channels.removeAll { $0.hasSameBytes(as: channel) }
        self.added.remove(ExactName(channel))
        switch self.phase {
        case .idle, .opening, .closed: return nil
        case .subscribing, .live: return .write(Self.command("UNSUBSCRIBE", channel))
        }
    }

    private static func command(_ name: String, _ channel: String) -> ByteBuffer {
        var bytes = ByteBuffer()
        RedisCommand(name, [RedisArgument(channel)]).append(to: &bytes)
        return bytes
    }

    /// A reply on a live connection that is no message: perhaps the answer to a channel that was added.
    private mutating func answered(_ reply: RedisValue) -> Effect? {
        guard self.unconfirmed > 0 else { return nil }
        if case .error(let error) = reply { return self.fail(RedisError(error, command: "SUBSCRIBE", address: "")) }
        guard case .array(let parts) = reply, parts.count == 3, parts[0].string == "subscribe", let channel = parts[1].string else {
            return nil
        }
        self.unconfirmed -= 1
        return .emit(.subscribed(channel))
    }
}

extension SubscriptionStateMachine {
    private mutating func greeted(_ reply: RedisValue, using random: inout some RandomNumberGenerator) -> Effect? {
        switch self.opening.greeted(reply) {
        case .unfinished:
            return nil
        case .open(let deadline):
            let missing = self.channels.count + self.added.count + self.patterns.count
            guard missing > 0 else { return self.wentLive() }
            self.phase = .subscribing(missing: missing, deadline: deadline)
            return .write(self.subscribeCommands())
        case .failed(let error):
            return self.giveUp(error, using: &random).last
        case .refused(let error):
            return self.fail(error)
        }
    }

    private func subscribeCommands() -> ByteBuffer {
        var bytes = ByteBuffer()
        let channels = self.channels + self.added.map(\.text)
        if !channels.isEmpty {
            RedisCommand("SUBSCRIBE", channels.map { RedisArgument($0) }).append(to: &bytes)
        }
        if !self.patterns.isEmpty {
            RedisCommand("PSUBSCRIBE", self.patterns.map { RedisArgument($0) }).append(to: &bytes)
        }
        return bytes
    }

    private mutating func confirmed(_ reply: RedisValue, missing: Int, deadline: Instant) -> Effect? {
        if case .error(let error) = reply {
            // An ACL that forbids a channel will do so again.
            return self.fail(RedisError(error, command: "SUBSCRIBE", address: ""))
        }
        // Messages of the channels already confirmed may come in between.
        if let message = Self.message(in: reply) { return .emit(.message(message)) }
        guard Self.isConfirmation(reply) else { return nil }
        guard missing <= 1 else {
            self.phase = .subscribing(missing: missing - 1, deadline: deadline)
            return nil
        }
        return self.wentLive()
    }

    private mutating func wentLive() -> Effect {
        self.phase = .live
        self.unconfirmed = 0
        self.opening.succeeded()
        guard self.hasStarted else {
            self.hasStarted = true
            return .started
        }
        return .emit(.resumed)
    }

    private static func isConfirmation(_ reply: RedisValue) -> Bool {
        guard case .array(let parts) = reply, let kind = parts.first?.string else { return false }
        return kind == "subscribe" || kind == "psubscribe"
    }

    static func message(in reply: RedisValue) -> RedisMessage? {
        guard case .array(let parts) = reply, let kind = parts.first?.string else { return nil }
        switch (kind, parts.count) {
        case ("message", 3):
            guard let channel = parts[1].string, let payload = parts[2].bytes else { return nil }
            return RedisMessage(channel: channel, payload: payload)
        case ("pmessage", 4):
            guard let pattern = parts[1].string, let channel = parts[2].string, let payload = parts[3].bytes else { return nil }
            return RedisMessage(channel: channel, pattern: pattern, payload: payload)
        default:
            return nil
        }
    }

    /// A quiet subscription cannot be told from a dead link, so the server is asked for a sign of life.
    private mutating func checkLife(at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        if let deadline = self.pingDeadline {
            guard deadline <= now else { return [] }
            return self.giveUp(RedisError(code: .timeout, message: "no sign of life"), using: &random)
        }
        guard self.lastTraffic.advanced(by: self.settings.commandTimeout) <= now else { return [] }
        self.pingDeadline = now.advanced(by: self.settings.commandTimeout)
        var bytes = ByteBuffer()
        RedisCommand("PING").append(to: &bytes)
        return [.write(bytes)]
    }

    private mutating func giveUp(_ error: RedisError, using random: inout some RandomNumberGenerator) -> [Effect] {
        var wasLive = false
        if case .live = self.phase { wasLive = true }
        self.opening.failed(error)
        self.pingDeadline = nil
        self.phase = .opening
        let reconnect = Effect.reconnect(epoch: self.opening.begin(), after: self.opening.rest(using: &random))
        return wasLive ? [.emit(.interrupted), reconnect] : [reconnect]
    }

    private mutating func fail(_ error: RedisError) -> Effect {
        self.close()
        return .fail(error)
    }
}
