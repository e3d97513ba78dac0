import NIOCore
import ScaleCore

@testable import ScaleRedis

typealias Machine = ConnectionStateMachine<Int>

/// A state machine, its time in milliseconds, and what came out of it. Waiters and tokens are numbers.
struct MachineHarness {
    var machine: Machine
    var now = Instant(nanoseconds: 0)
    /// Replies given to waiters, in order.
    var delivered: [(waiter: Int, reply: RedisValue)] = []
    var failed: [(waiter: Int, error: RedisError)] = []
    var closedChannels = 0
    var wakes = 0
    /// Attempts that were asked for: epoch and rest.
    var attempts: [(epoch: UInt64, rest: Duration)] = []
    var isFinished = false
    var random = LongestRest()

    init(_ change: (inout ConnectionSettings) -> Void = { _ in }) {
        var settings = ConnectionSettings()
        settings.connectTimeout = .seconds(5)
        settings.commandTimeout = .seconds(2)
        settings.idleTimeout = .seconds(60)
        change(&settings)
        self.machine = Machine(settings: settings)
    }

    /// A harness whose connection is ready, as after one caller that came and went.
    static func ready(_ change: (inout ConnectionSettings) -> Void = { _ in }) -> MachineHarness {
        var harness = MachineHarness(change)
        harness.submit(0)
        harness.connect()
        harness.flush()
        harness.receive([.status("OK")])
        harness.delivered = []
        harness.wakes = 0
        harness.attempts = []
        return harness
    }

    mutating func advance(_ duration: Duration) {
        self.now = self.now.advanced(by: duration)
    }

    /// Submits a command of which the caller's number can be read back from its encoding.
    @discardableResult
    mutating func submit(_ caller: Int, replies: Int = 1, patience: Duration = .zero) -> RedisError? {
        let now = self.now
        let commands = Array(repeating: RedisCommand("ECHO", [RedisArgument(caller)]), count: replies)
        let token = CallToken(number: UInt64(caller))
        let effect =
            if replies == 1 {
                self.machine.submit(token, caller, commands[0], patience: patience, now: { now })
            } else {
                self.machine.submit(token, caller, CommandBatch(commands: commands), patience: patience, now: { now })
            }
        switch effect {
        case .parked: break
        case .wake: self.wakes += 1
        case .connect(let epoch, let rest): self.attempts.append((epoch, rest))
        case .refuse(let error): return error
        }
        return nil
    }

    /// Makes the attempt that was asked for last succeed, greeting and all.
    mutating func connect() {
        self.beginAttempt()
        _ = self.machine.connected(epoch: self.machine.epoch)
        self.receive(self.machine.settings.greeting.steps.map { _ in .status("OK") })
    }

    mutating func beginAttempt() {
        _ = self.machine.restEnded(epoch: self.machine.epoch, at: self.now)
    }

    /// What is written when nobody comes any more, as the numbers of the callers.
    @discardableResult
    mutating func flush() -> [Int] {
        while true {
            if let written = self.look() { return written }
        }
    }

    /// What is written in one turn of the loop; nil when it looks again in the next.
    mutating func look() -> [Int]? {
        switch self.machine.flush(at: self.now) {
        case .none: return []
        case .lookAgain: return nil
        case .write(let bytes):
            return Reading([Array(bytes.readableBytesView)]).replies.compactMap { $0.array?.last?.integer.map { Int($0) } }
        }
    }

    mutating func receive(_ replies: [RedisValue], epoch: UInt64? = nil) {
        var deliveries: [Machine.Delivery] = []
        let received = self.machine.received(
            replies, epoch: epoch ?? self.machine.epoch, at: self.now, using: &self.random, deliveries: &deliveries)
        self.delivered += deliveries.map { ($0.waiter, $0.reply) }
        self.note(received.turn)
    }

    mutating func lose(_ error: RedisError = RedisError(code: .connectionLost, message: "gone"), epoch: UInt64? = nil) {
        self.note(self.machine.lost(epoch: epoch ?? self.machine.epoch, error, at: self.now, using: &self.random))
    }

    mutating func setWritable(_ isWritable: Bool) {
        if self.machine.writabilityChanged(isWritable, epoch: self.machine.epoch) { self.wakes += 1 }
    }

    mutating func tick() {
        self.note(self.machine.tick(at: self.now, using: &self.random))
    }

    @discardableResult
    mutating func cancel(_ caller: Int) -> Int? {
        self.machine.cancel(CallToken(number: UInt64(caller)))
    }

    mutating func shutDown(within limit: Duration = .seconds(2)) {
        self.note(self.machine.shutDown(at: self.now, deadline: self.now.advanced(by: limit)))
    }

    private mutating func note(_ turn: Machine.Turn) {
        self.failed += turn.failed.map { ($0.waiter, $0.error) }
        if turn.closesChannel { self.closedChannels += 1 }
        switch turn.action {
        case .none: break
        case .wake: self.wakes += 1
        case .connect(let epoch, let rest): self.attempts.append((epoch, rest))
        case .finish: self.isFinished = true
        }
    }

    var deliveredTo: [Int] { self.delivered.map(\.waiter) }

    /// Callers that failed, with code and outcome.
    var failures: [Failure] { self.failed.map { Failure($0.waiter, $0.error.code, $0.error.outcome) } }
}

/// Draws the end of every range: the rests are their ceilings.
struct LongestRest: RandomNumberGenerator {
    mutating func next() -> UInt64 { .max }
}

struct Failure: Equatable {
    let waiter: Int
    let code: RedisError.Code
    let outcome: RedisError.Outcome

    init(_ waiter: Int, _ code: RedisError.Code, _ outcome: RedisError.Outcome) {
        self.waiter = waiter
        self.code = code
        self.outcome = outcome
    }
}
