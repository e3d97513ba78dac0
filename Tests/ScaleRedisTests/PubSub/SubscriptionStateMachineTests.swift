import NIOCore
import ScaleCore
import Testing

@testable import ScaleRedis

@Suite struct SubscriptionStateMachineTests {
    struct Harness {
        var machine: SubscriptionStateMachine
        var now = Instant(nanoseconds: 0)
        var effects: [String] = []
        var random = LongestRest()

        init(channels: [String] = ["c"], patterns: [String] = []) {
            var settings = ConnectionSettings()
            settings.connectTimeout = .seconds(5)
            settings.commandTimeout = .seconds(2)
            self.machine = SubscriptionStateMachine(settings: settings, channels: channels, patterns: patterns)
        }

        static func live() -> Harness {
            var harness = Harness()
            harness.note([harness.machine.start(at: harness.now)])
            harness.connect()
            harness.receive(confirmation("c"))
            harness.effects = []
            return harness
        }

        mutating func note(_ effects: [SubscriptionStateMachine.Effect]) {
            for effect in effects {
                switch effect {
                case .write(let bytes):
                    let replies = Reading([Array(bytes.readableBytesView)]).replies
                    self.effects += replies.map { ($0.array ?? []).compactMap(\.string).joined(separator: " ") }
                case .emit(.message(let message)): self.effects.append("message \(message.channel)")
                case .emit(let event): self.effects.append("\(event)")
                case .started: self.effects.append("started")
                case .reconnect(_, let rest): self.effects.append("reconnect \(rest)")
                case .fail(let error): self.effects.append("fail \(error.code)")
                }
            }
        }

        mutating func connect() {
            _ = self.machine.restEnded(epoch: self.machine.epoch, at: self.now)
            _ = self.machine.connected(epoch: self.machine.epoch)
            self.receive(.status("PONG"))
        }

        mutating func receive(_ reply: RedisValue) {
            let effect = self.machine.received(reply, epoch: self.machine.epoch, at: self.now, using: &self.random)
            if let effect { self.note([effect]) }
        }

        mutating func lose() {
            let error = RedisError(code: .connectionLost, message: "gone")
            self.note(self.machine.lost(epoch: self.machine.epoch, error, at: self.now, using: &self.random))
        }

        mutating func tick(after duration: Duration) {
            self.now = self.now.advanced(by: duration)
            self.note(self.machine.tick(at: self.now, using: &self.random))
        }
    }

    static func confirmation(_ channel: String, _ kind: String = "subscribe") -> RedisValue {
        .array([.bulk(Array(kind.utf8)), .bulk(Array(channel.utf8)), .integer(1)])
    }

    static func message(_ channel: String) -> RedisValue {
        .array([.bulk(Array("message".utf8)), .bulk(Array(channel.utf8)), .bulk([1])])
    }

    @Test func `closed before it began, it fails and makes no attempt`() {
        var harness = Harness()
        harness.machine.close()
        harness.note([harness.machine.start(at: harness.now)])
        #expect(harness.effects == ["fail clientShutDown"])
        #expect(harness.machine.isClosed)
        let isAttempted = harness.machine.restEnded(epoch: harness.machine.epoch, at: harness.now)
        #expect(!isAttempted)
    }

    @Test func `it has started when every channel and pattern is confirmed`() {
        var harness = Harness(channels: ["a", "b"], patterns: ["p*"])
        harness.note([harness.machine.start(at: harness.now)])
        harness.connect()
        harness.receive(Self.confirmation("a"))
        harness.receive(Self.message("a"))
        harness.receive(Self.confirmation("b"))
        #expect(!harness.effects.contains("started"))
        harness.receive(Self.confirmation("p*", "psubscribe"))
        #expect(harness.effects == ["reconnect 0.0 seconds", "SUBSCRIBE a b", "PSUBSCRIBE p*", "message a", "started"])
    }

    @Test func `a loss is told, everything is subscribed again, and that is told, too`() {
        var harness = Harness.live()
        harness.lose()
        harness.connect()
        harness.receive(Self.confirmation("c"))
        harness.receive(Self.message("c"))
        #expect(harness.effects == ["interrupted", "reconnect 0.05 seconds", "SUBSCRIBE c", "resumed", "message c"])
    }

    @Test func `a loss while it connects again is told once`() {
        var harness = Harness.live()
        harness.lose()
        for _ in 0..<2 {
            _ = harness.machine.restEnded(epoch: harness.machine.epoch, at: harness.now)
            harness.lose()
        }
        #expect(harness.effects == ["interrupted", "reconnect 0.05 seconds", "reconnect 0.1 seconds", "reconnect 0.2 seconds"])
    }

    @Test func `a quiet link is asked for a sign of life, and given up without one`() {
        var harness = Harness.live()
        harness.tick(after: .milliseconds(1999))
        #expect(harness.effects == [])
        harness.tick(after: .milliseconds(1))
        #expect(harness.effects == ["PING"])
        harness.receive(.array([.bulk(Array("pong".utf8)), .bulk([])]))
        harness.tick(after: .seconds(2))
        harness.tick(after: .milliseconds(1999))
        #expect(harness.effects == ["PING", "PING"])
        harness.tick(after: .milliseconds(1))
        #expect(harness.effects == ["PING", "PING", "interrupted", "reconnect 0.05 seconds"])
    }

    @Test func `the first subscription must stand in time`() {
        var harness = Harness()
        harness.note([harness.machine.start(at: harness.now)])
        harness.tick(after: .seconds(5))
        #expect(harness.effects.last == "fail connectionFailed")
        // Later ones are tried for ever.
        var live = Harness.live()
        live.lose()
        for _ in 0..<10 {
            _ = live.machine.restEnded(epoch: live.machine.epoch, at: live.now)
            live.tick(after: .seconds(5))
        }
        #expect(live.effects.count == 12)
        #expect(live.effects.dropFirst().allSatisfy { $0.hasPrefix("reconnect") })
    }

    @Test func `a channel that is added is subscribed to at once, confirmed by name, and subscribed to again after a loss`() {
        var harness = Harness.live()
        harness.note([harness.machine.add("d")].compactMap { $0 })
        harness.receive(Self.confirmation("d"))
        #expect(harness.effects == ["SUBSCRIBE d", "subscribed(\"d\")"])
        harness.effects = []
        harness.lose()
        let effect = harness.machine.add("c")
        if effect != nil { Issue.record("written without a connection") }
        harness.connect()
        for channel in ["c", "d"] { harness.receive(Self.confirmation(channel)) }
        #expect(harness.effects == ["interrupted", "reconnect 0.05 seconds", "SUBSCRIBE c d", "resumed"])
    }

    @Test func `a channel that is added while others are being confirmed is waited for with them`() {
        var harness = Harness()
        harness.note([harness.machine.start(at: harness.now)])
        harness.connect()
        harness.note([harness.machine.add("d")].compactMap { $0 })
        harness.receive(Self.confirmation("c"))
        #expect(!harness.effects.contains("started"))
        harness.receive(Self.confirmation("d"))
        #expect(harness.effects.last == "started")
    }

    @Test func `a channel that is removed is not subscribed to again, and none at all is a connection, too`() {
        var harness = Harness.live()
        harness.note([harness.machine.add("d"), harness.machine.remove("d"), harness.machine.remove("c")].compactMap { $0 })
        harness.receive(Self.confirmation("d"))
        harness.receive(Self.confirmation("d", "unsubscribe"))
        harness.receive(Self.confirmation("c", "unsubscribe"))
        #expect(harness.effects == ["SUBSCRIBE d", "UNSUBSCRIBE d", "UNSUBSCRIBE c", "subscribed(\"d\")"])
        harness.effects = []
        harness.lose()
        harness.connect()
        #expect(harness.effects == ["interrupted", "reconnect 0.05 seconds", "resumed"])
    }

    @Test func `a refused channel ends the subscription`() {
        var harness = Harness.live()
        harness.note([harness.machine.add("d")].compactMap { $0 })
        harness.receive(.error(RedisServerError("NOPERM this user has no permissions to access one of the channels")))
        #expect(harness.effects == ["SUBSCRIBE d", "fail server"])
    }

    @Test func `a refusal is final`() {
        var harness = Harness()
        harness.note([harness.machine.start(at: harness.now)])
        _ = harness.machine.restEnded(epoch: harness.machine.epoch, at: harness.now)
        _ = harness.machine.connected(epoch: harness.machine.epoch)
        harness.receive(.error(RedisServerError("NOAUTH Authentication required.")))
        #expect(harness.effects.last == "fail authenticationFailed")
        harness.tick(after: .seconds(100))
        harness.lose()
        #expect(harness.effects.count == 2)
    }

    @Test(arguments: [
        RedisValue.status("OK"), .null, .integer(1), .array([]), .array([.null]), .array([.bulk(Array("message".utf8))]),
        .array([.bulk(Array("message".utf8)), .null, .bulk([1])]), .array([.bulk(Array("pmessage".utf8)), .bulk([]), .bulk([])]),
        .error(RedisServerError("ERR x")),
    ])
    func `a reply that is no message is passed over`(reply: RedisValue) {
        var harness = Harness.live()
        harness.receive(reply)
        #expect(harness.effects == [])
    }
}
