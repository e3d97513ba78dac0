import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleTesting
import TestServers
import Testing

/// What only RabbitMQ does: connections that are closed, queues that are deleted, refusals.
@Suite(.enabled(if: TestServers.amqp != nil, "needs RabbitMQ: make services-up"), .timeLimit(.minutes(15)))
struct RabbitMQBrokerTests {
    private static let queue = "mails"

    private static func message(_ number: Int) -> Message {
        var properties = Message.Properties()
        properties.contentType = "application/json"
        return Message(
            headers: ["task": "t", "id": "1", "number": .integer(Int64(number))], properties: properties, body: Array("{}".utf8))
    }

    private static func request(waits: Bool = true, limit: Int = 1) -> ReceiveRequest {
        ReceiveRequest(queues: [Self.queue], limit: limit, lease: .seconds(600), owner: "me", waits: waits)
    }

    private static func with(
        _ configure: (inout RabbitMQBroker.Configuration) -> Void = { _ in },
        _ body: (RabbitMQBroker, RabbitMQVirtualHost) async throws -> Void
    ) async throws {
        var configuration = RabbitMQBroker.Configuration.patient
        configure(&configuration)
        try await RabbitMQVirtualHost.with { host in
            let broker = try RabbitMQBroker(host.url, configuration: configuration)
            do {
                try await body(broker, host)
            } catch {
                await broker.shutdown()
                throw error
            }
            await broker.shutdown()
        }
    }

    @Test func `a message is persistent, in a queue that Celery would declare`() async throws {
        try await Self.with { broker, host in
            try await broker.publish(Self.message(1), to: Self.queue, notBefore: nil)
            let queue = try await host.queue(Self.queue)
            #expect(queue["durable"] as? Bool == true)
            #expect(queue["auto_delete"] as? Bool == false)
            #expect(queue["exclusive"] as? Bool == false)
            #expect((queue["arguments"] as? [String: any Sendable])?.isEmpty == true)
        }
    }

    @Test func `what is published while connections are closed arrives, once or twice, and never not`() async throws {
        try await Self.with { broker, host in
            try await broker.publish(Self.message(0), to: Self.queue, notBefore: nil)
            try await eventually(within: .seconds(90), "the connection is listed") {
                try await host.hasConnections(named: "ScaleKit publish")
            }
            let published = RecordedFacts<Int>()
            let end = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for first in 1...20 {
                    group.addTask {
                        var number = first
                        while number <= 200 || !end.isRaised {
                            try await broker.publish(Self.message(number), to: Self.queue, notBefore: nil)
                            published.record(number)
                            number += 20
                        }
                    }
                }
                group.addTask {
                    defer { end.raise() }
                    // Not before they are under way.
                    _ = try await published.waitForCount(20, within: .seconds(90))
                    #expect(try await host.closeConnections(named: "ScaleKit publish").count == 1)
                }
                try await group.waitForAll()
            }
            var missing = Set(published.all)
            try await eventually(within: .seconds(120), "all numbers have come") {
                for delivery in try await broker.receive(Self.request(waits: false, limit: 50)) {
                    if let number = delivery.message.headers["number"]?.integerValue { missing.remove(Int(number)) }
                    try await broker.acknowledge(delivery.lease)
                }
                return missing.isEmpty
            }
        }
    }

    @Test func `a worker whose connection is closed is refused, and the message comes to whoever waits`() async throws {
        try await Self.with { broker, host in
            try await broker.publish(Self.message(1), to: Self.queue, notBefore: nil)
            let lost = try #require(try await broker.receive(Self.request()).first)
            let waiting = PendingCall("receive") { try await broker.receive(Self.request()) }
            // The management API lists a connection some seconds after it was made.
            try await eventually(within: .seconds(90), "the consuming connection is closed") {
                try await !host.closeConnections(named: "ScaleKit consume").isEmpty
            }
            let again = try #require(try await waiting.value(within: .seconds(60)).first)
            #expect(again.losses == 1)
            #expect(again.message == lost.message)
            await #expect(throws: QueueError.self) { try await broker.acknowledge(lost.lease) }
            try await broker.acknowledge(again.lease)
        }
    }

    @Test func `a queue that is deleted is declared again, for who publishes and for who waits`() async throws {
        try await Self.with { broker, host in
            let waiting = PendingCall("receive") { try await broker.receive(Self.request()) }
            try await eventually(within: .seconds(90), "the queue exists") { (try? await host.queue(Self.queue)) != nil }
            try await host.deleteQueue(Self.queue)
            try await broker.publish(Self.message(7), to: Self.queue, notBefore: nil)
            #expect(try await waiting.value(within: .seconds(60)).first?.message.headers["number"] == 7)
        }
    }

    @Test func `a queue that exists with other arguments is an error with RabbitMQ's words, and other queues go on`() async throws {
        try await Self.with { classic, host in
            try await classic.publish(Self.message(1), to: Self.queue, notBefore: nil)
            var configuration = RabbitMQBroker.Configuration.patient
            configuration.queueKind = .quorum
            let quorum = try RabbitMQBroker(host.url, configuration: configuration)
            let error = try await expectThrows(QueueError.self) {
                try await quorum.publish(Self.message(1), to: Self.queue, notBefore: nil)
            }
            #expect(error.code == .accessRefused)
            #expect(error.message.contains("406"))
            #expect(error.queue == Self.queue)
            try await quorum.publish(Self.message(1), to: "another", notBefore: nil)
            await quorum.shutdown()
        }
    }

    @Test func `a wrong password is an error, that does not show it`() async throws {
        let amqp = try #require(TestServers.amqp)
        let broker = try RabbitMQBroker(amqp.replacing("guest:guest@", with: "guest:wr0ngPassw0rd@"), configuration: .patient)
        let error = try await expectThrows(QueueError.self) { try await broker.publish(Self.message(1), to: Self.queue, notBefore: nil) }
        #expect(error.code == .accessRefused)
        #expect(!"\(error)".contains("wr0ng"))
        let refused = try await expectThrows(QueueError.self) { _ = try await broker.counts(of: Self.queue) }
        #expect(refused.code == .accessRefused)
        #expect(!"\(refused)".contains("wr0ng"))
        await broker.shutdown()
    }

    @Test func `a server that is not there is an error that names it, after the hosts before it`() async throws {
        let amqp = try #require(TestServers.amqp)
        let nobody = try RabbitMQBroker("amqp://127.0.0.1:1/", configuration: .patient)
        let error = try await expectThrows(QueueError.self) { try await nobody.publish(Self.message(1), to: Self.queue, notBefore: nil) }
        #expect(error.code == .unavailable)
        #expect(error.message.contains("127.0.0.1:1"))
        await nobody.shutdown()
        try await RabbitMQVirtualHost.with { host in
            let second = try RabbitMQBroker(amqp.replacing("@", with: "@127.0.0.1:1,") + host.name, configuration: .patient)
            try await second.publish(Self.message(1), to: Self.queue, notBefore: nil)
            await second.shutdown()
        }
    }

    @Test(.enabled(if: TestServers.amqps != nil, "needs RabbitMQ with TLS: make services-up"))
    func `TLS is verified against the authorities that are given`() async throws {
        let url = try #require(TestServers.amqps)
        var configuration = RabbitMQBroker.Configuration.patient
        configuration.certificateAuthorities = try #require(TestServers.amqpCertificateAuthority)
        let queue = "tls-\(UInt64.random(in: .min ... .max))"
        let trusting = try RabbitMQBroker(url, configuration: configuration)
        try await trusting.publish(Self.message(1), to: queue, notBefore: nil)
        #expect(try await trusting.purge(queue) == 1)
        await trusting.shutdown()

        configuration.certificateAuthorities = "/etc/ssl/certs/ca-certificates.crt"
        let wary = try RabbitMQBroker(url, configuration: configuration)
        let error = try await expectThrows(QueueError.self) { try await wary.publish(Self.message(1), to: queue, notBefore: nil) }
        #expect(error.code == .unavailable)
        await wary.shutdown()
    }

    @Test func `after shutdown every call says so, and who waits is woken`() async throws {
        try await Self.with { broker, host in
            let waiting = PendingCall("receive") { try await broker.receive(Self.request()) }
            try await eventually(within: .seconds(90), "it consumes") {
                (try? await host.queue(Self.queue))?["consumers"] as? Int == 1
            }
            await broker.shutdown()
            let woken = try await expectThrows(QueueError.self) { try await waiting.value() }
            #expect(woken.code == .closed)
            let error = try await expectThrows(QueueError.self) {
                try await broker.publish(Self.message(1), to: Self.queue, notBefore: nil)
            }
            #expect(error.code == .closed)
        }
    }

    // MARK: Messages that were sent ahead

    @Test(arguments: [RabbitMQBroker.QueueKind.classic, .quorum])
    func `what was sent ahead to a broker that nobody asks goes back, without a loss, and comes when somebody asks`(
        _ kind: RabbitMQBroker.QueueKind
    ) async throws {
        try await Self.with { configuration in
            configuration.queueKind = kind
            configuration.prefetch = 10
            configuration.idlePatience = .milliseconds(200)
        } _: { idle, host in
            for number in 1...5 { try await idle.publish(Self.message(number), to: Self.queue, notBefore: nil) }
            let held = try #require(try await idle.receive(Self.request()).first)
            var configuration = RabbitMQBroker.Configuration.patient
            configuration.queueKind = kind
            let busy = try RabbitMQBroker(host.url, configuration: configuration)
            var numbers: Set<Int64> = []
            while numbers.count < 4 {
                let waiting = PendingCall("receive") { try await busy.receive(Self.request(limit: 4)) }
                for delivery in try await waiting.value(within: .seconds(90)) {
                    #expect(delivery.losses == 0)
                    numbers.insert(delivery.message.headers["number"]?.integerValue ?? 0)
                    try await busy.acknowledge(delivery.lease)
                }
            }
            // What a worker holds stays with it.
            try await idle.acknowledge(held.lease)
            await busy.shutdown()
            try await idle.publish(Self.message(6), to: Self.queue, notBefore: nil)
            let waiting = PendingCall("receive") { try await idle.receive(Self.request()) }
            #expect(try await waiting.value(within: .seconds(90)).first?.message.headers["number"] == 6)
        }
    }

    /// What another broker of the same server can have at once, up to so many; all of it is acknowledged.
    private static func count(of limit: Int, from host: RabbitMQVirtualHost) async throws -> Int {
        let other = try RabbitMQBroker(host.url, configuration: .patient)
        let count = Locked(0)
        try await eventually(within: .seconds(90), "\(limit) messages, of which \(count.withLock { $0 }) came") {
            for delivery in try await other.receive(Self.request(waits: false, limit: limit)) {
                try expectEqual(delivery.losses, 0, "losses")
                try await other.acknowledge(delivery.lease)
                count.withLock { $0 += 1 }
            }
            return count.withLock { $0 } >= limit
        }
        await other.shutdown()
        return count.withLock { $0 }
    }

    @Test func `what was sent ahead goes back, without a loss, when a worker leaves its queue`() async throws {
        try await Self.with({ $0.idlePatience = .seconds(3600) }) { broker, host in
            for number in 1...5 { try await broker.publish(Self.message(number), to: Self.queue, notBefore: nil) }
            let held = try #require(try await broker.receive(Self.request()).first)
            await broker.leave(Self.queue)
            #expect(try await Self.count(of: 4, from: host) == 4)
            try await broker.acknowledge(held.lease)
            // And it comes again to whoever asks again, or waits.
            let waiting = PendingCall("receive") { try await broker.receive(Self.request()) }
            await broker.leave(Self.queue)
            try await broker.publish(Self.message(6), to: Self.queue, notBefore: nil)
            #expect(try await waiting.value(within: .seconds(90)).first?.message.headers["number"] == 6)
        }
    }

    @Test func `fewer messages are sent ahead to workers that became smaller`() async throws {
        try await Self.with({ $0.idlePatience = .seconds(3600) }) { broker, host in
            try await broker.publish(Self.message(0), to: Self.queue, notBefore: nil)
            let held = try #require(try await broker.receive(Self.request(limit: 50)).first)
            for number in 1...60 { try await broker.publish(Self.message(number), to: Self.queue, notBefore: nil) }
            await broker.fetchLess()
            // Of which it may have 16 ahead.
            let next = try #require(try await broker.receive(Self.request()).first)
            #expect(try await Self.count(of: 44, from: host) >= 44)
            try await broker.acknowledge(held.lease)
            try await broker.acknowledge(next.lease)
        }
    }

    @Test func `a number of messages sent ahead that was configured holds again for workers that became smaller`() async throws {
        try await Self.with({
            $0.idlePatience = .seconds(3600)
            $0.prefetch = 5
        }) { broker, host in
            try await broker.publish(Self.message(0), to: Self.queue, notBefore: nil)
            let held = try #require(try await broker.receive(Self.request(limit: 50)).first)
            for number in 1...60 { try await broker.publish(Self.message(number), to: Self.queue, notBefore: nil) }
            await broker.fetchLess()
            let next = try #require(try await broker.receive(Self.request()).first)
            #expect(try await Self.count(of: 55, from: host) >= 55)
            try await broker.acknowledge(held.lease)
            try await broker.acknowledge(next.lease)
        }
    }

    @Test(arguments: [RabbitMQBroker.QueueKind.classic, .quorum])
    func `a shutdown is no loss for messages that no worker had`(_ kind: RabbitMQBroker.QueueKind) async throws {
        try await Self.with({ $0.queueKind = kind }) { second, host in
            var configuration = RabbitMQBroker.Configuration.patient
            configuration.queueKind = kind
            configuration.prefetch = 10
            let first = try RabbitMQBroker(host.url, configuration: configuration)
            for number in 1...5 { try await first.publish(Self.message(number), to: Self.queue, notBefore: nil) }
            let held = try #require(try await first.receive(Self.request()).first)
            try await eventually(within: .seconds(90), "the others were sent ahead") { try await second.counts(of: Self.queue).ready == 0 }
            await first.shutdown(within: .seconds(90))
            var losses: [Int64: Int] = [:]
            while losses.count < 5 {
                let waiting = PendingCall("receive") { try await second.receive(Self.request(limit: 5)) }
                for delivery in try await waiting.value(within: .seconds(90)) {
                    losses[delivery.message.headers["number"]?.integerValue ?? 0] = delivery.losses
                    try await second.acknowledge(delivery.lease)
                }
            }
            let lost = held.message.headers["number"]?.integerValue ?? 0
            #expect(losses.filter { $0.value > 0 }.map(\.key) == [lost])
        }
    }

    // MARK: Messages that cannot be sent

    @Test func `a message for which the server closes the channel is refused, and those beside it are sent`() async throws {
        try await Self.with { broker, _ in
            var poison = Self.message(0)
            poison.properties.expiration = "soon"
            let bad = poison
            let refused = PendingCall("publish") { try await broker.publish(bad, to: Self.queue, notBefore: nil) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...50 { group.addTask { try await broker.publish(Self.message(number), to: Self.queue, notBefore: nil) } }
                try await group.waitForAll()
            }
            let error = try await expectThrows(QueueError.self) { try await refused.value(within: .seconds(90)) }
            #expect(error.code == .invalidJob)
            #expect(error.message.contains("406"))
            try await broker.publish(Self.message(51), to: Self.queue, notBefore: nil)
        }
    }

    @Test(arguments: ["4294967296", "7427355120342", "18446744073709551615"])
    func `a message that lives for longer than RabbitMQ can count is sent without an end`(expiration: String) async throws {
        try await Self.with { broker, _ in
            var message = Self.message(1)
            message.properties.expiration = expiration
            let lasting = message
            try await broker.publish(lasting, to: Self.queue, notBefore: nil)
            #expect(try await broker.receive(Self.request()).first?.message.headers == message.headers)
        }
    }

    @Test func `a name that cannot be sent is an error of every verb`() async throws {
        try await Self.with { broker, _ in
            for name in [String(repeating: "q", count: 256), "", "a\u{0}b"] {
                for verb in Self.verbs {
                    let error = try await expectThrows(QueueError.self) { try await verb(broker, name) }
                    #expect(error.code == .invalidQueueName, "\(error)")
                }
            }
        }
    }

    @Test(arguments: ["q", "é"]) func `the dead letters of a queue with the longest name have a queue of their own`(letter: String)
        async throws
    {
        try await Self.with { broker, _ in
            let length = 255 / letter.utf8.count
            let longest = String(repeating: letter, count: length)
            let other = String(repeating: letter, count: length - 1) + "x"
            try await broker.publish(Self.message(1), to: longest, notBefore: nil)
            let delivery = try #require(
                try await broker.receive(ReceiveRequest(queues: [longest], limit: 1, lease: .seconds(600), owner: "me", waits: true)).first)
            try await broker.deadLetter(delivery.lease, reason: "a test")
            #expect(try await broker.counts(of: longest).dead == 1)
            #expect(try await broker.counts(of: other).dead == 0)
        }
    }

    private static let verbs: [@Sendable (RabbitMQBroker, String) async throws -> Void] = [
        { try await $0.publish(Self.message(1), to: $1, notBefore: nil) },
        { _ = try await $0.receive(ReceiveRequest(queues: [$1], limit: 1, lease: .seconds(60), owner: "me", waits: false)) },
        { _ = try await $0.counts(of: $1) },
        { _ = try await $0.deadLetters(of: $1, limit: 1) },
        { _ = try await $0.redrive($1, limit: 1) },
        { _ = try await $0.redrive($1, jobs: [JobID()]) },
        { _ = try await $0.purge($1) },
    ]

    @Test func `headers that do not fit into a frame are an error before anything is sent, and those that just do are sent`() async throws {
        try await Self.with { broker, _ in
            var message = Self.message(1)
            message.headers["text"] = .string(String(repeating: "x", count: 128 * 1024))
            let large = message
            let error = try await expectThrows(QueueError.self) { try await broker.publish(large, to: Self.queue, notBefore: nil) }
            #expect(error.code == .messageTooLarge)
            #expect(error.queue == Self.queue)
            message.headers["text"] = .string(String(repeating: "x", count: 126 * 1024))
            try await broker.publish(message, to: Self.queue, notBefore: nil)
            #expect(try await broker.receive(Self.request()).first?.message.headers == message.headers)
        }
    }
}
