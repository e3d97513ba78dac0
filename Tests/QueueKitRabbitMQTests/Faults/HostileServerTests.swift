import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleTesting
import TestServers
import Testing

/// Servers that send what no server sends. Nothing may crash or hang; a caller is served by the next connection, or gets an error.
@Suite(.timeLimit(.minutes(10))) struct HostileServerTests {
    private typealias Server = FakeAMQPServer

    /// Bytes in place of, or before, what the server would have said.
    struct Misdeed: Sendable, CustomTestStringConvertible {
        let name: String
        let make: @Sendable (_ honest: [UInt8]) -> FakeAMQPServer.Misdeed

        init(_ name: String, _ make: @escaping @Sendable (_ honest: [UInt8]) -> FakeAMQPServer.Misdeed) {
            self.name = name
            self.make = make
        }

        var testDescription: String { self.name }
    }

    private final class Countdown: Sendable {
        private let count: Int
        private let left: Locked<Int>

        init(_ count: Int) {
            self.count = count
            self.left = Locked(count)
        }

        var wasUsed: Bool { self.left.withLock { $0 } < self.count }

        func takeOne() -> Bool {
            self.left.withLock { left in
                defer { left -= 1 }
                return left > 0
            }
        }
    }

    private static let configuration: RabbitMQBroker.Configuration = {
        var configuration = RabbitMQBroker.Configuration()
        // A server that falls silent is noticed by these. An honest one may be slow on a busy machine.
        configuration.answerTimeout = .seconds(5)
        configuration.heartbeat = 2
        configuration.publishTimeout = .seconds(120)
        return configuration
    }()

    /// A server that misbehaves on the first connections that come to a step, and is honest after that.
    private static func with(
        _ misdeed: Misdeed, at step: FakeAMQPServer.Step, times: Int = 2, _ body: (RabbitMQBroker) async throws -> Void
    ) async throws {
        let misdeeds = Countdown(times)
        let server = try FakeAMQPServer { reached, _, honest in
            guard reached == step, misdeeds.takeOne() else { return nil }
            return misdeed.make(honest)
        }
        defer { server.end() }
        let broker = try RabbitMQBroker(server.url, configuration: Self.configuration)
        do {
            try await body(broker)
        } catch {
            await broker.shutdown()
            throw error
        }
        await broker.shutdown()
        #expect(misdeeds.wasUsed, "the server has not come to its misdeed")
    }

    // MARK: What is sent

    /// Encoded tables: every type there is, types that there are not, lengths that are not so, and towers.
    private static let tables: [(String, [UInt8])] = {
        func entry(_ type: Character, _ value: [UInt8]) -> [UInt8] { Server.shortText("k") + [type.asciiValue ?? 0] + value }
        let all =
            entry("t", [1]) + entry("b", [255]) + entry("B", [255]) + entry("s", [1, 2]) + entry("u", [255, 255])
            + entry("I", [128, 0, 0, 0])
            + entry("i", [255, 255, 255, 255]) + entry("l", Server.longLong(.max)) + entry("L", Server.longLong(.max))
            + entry("f", [127, 192, 0, 0]) + entry("d", Server.longLong(0x7FF8_0000_0000_0000)) + entry("D", [255, 255, 255, 255, 255])
            + entry("S", Server.longText([0xFF, 0xFE])) + entry("x", Server.longText([0]))
            + entry("A", Server.longText([UInt8(ascii: "V")]))
            + entry("T", Server.longLong(.max)) + entry("F", Server.longText([])) + entry("V", [])
        var tower: [UInt8] = []
        for _ in 0..<200 { tower = [0, UInt8(ascii: "F")] + Server.longText(tower) }
        // As many as a frame holds: each costs the reader a call of itself.
        var skyscraper: [UInt8] = []
        var parts: [[UInt8]] = []
        var length = 0
        for _ in 0..<20_000 {
            parts.append([0, UInt8(ascii: "F")] + Server.long(UInt32(length)))
            length += 6
        }
        for part in parts.reversed() { skyscraper += part }
        return [
            ("all types", all), ("an unknown type", entry("?", [1])), ("a string longer than its table", entry("S", Server.long(99) + [1])),
            ("a string of 4 GiB", entry("S", Server.long(.max))), ("an array of 4 GiB", entry("A", Server.long(.max))),
            ("a table of 4 GiB", entry("F", Server.long(.max))), ("half a key", [200, 65]),
            ("a key without a value", Server.shortText("k")),
            ("a number cut off", entry("l", [1])), ("tables 200 deep", tower), ("tables 20000 deep", skyscraper),
        ]
    }()

    private static let anywhere: [Misdeed] = [
        Misdeed("nothing, and the end") { _ in .init([], thenCloses: true) },
        Misdeed("a wrong end of frame") { honest in .init(honest.dropLast() + [0]) },
        Misdeed("a frame of 4 GiB") { _ in .init([1, 0, 1, 255, 255, 255, 255, 0, 60]) },
        Misdeed("a frame of 2 GiB") { _ in .init([1, 0, 1, 127, 255, 255, 255, 0, 60]) },
        Misdeed("an empty method") { _ in .init(Server.frame(type: 1, [])) },
        Misdeed("half a method's number") { _ in .init(Server.frame(type: 1, [0, 60, 0])) },
        Misdeed("an unknown method") { _ in .init(Server.method(99, 99), thenCloses: true) },
        Misdeed("an unknown class of content") { _ in
            .init(Server.frame(type: 2, Server.short(99) + Server.short(0) + Server.longLong(1) + Server.short(0)), thenCloses: true)
        },
        Misdeed("an unknown type of frame") { _ in .init(Server.frame(type: 77, [1, 2, 3]), thenCloses: true) },
        Misdeed("another protocol") { _ in .init(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), thenCloses: true) },
        Misdeed("another version") { _ in .init(Array("AMQP".utf8) + [0, 1, 0, 0], thenCloses: true) },
        Misdeed("a header without a method") { _ in .init(Server.contentHeader(bodySize: 1, headers: []), thenCloses: true) },
        Misdeed("a body without a header") { _ in .init(Server.frame(type: 3, [1, 2, 3]), thenCloses: true) },
        Misdeed("an empty header") { _ in .init(Server.frame(type: 2, []), thenCloses: true) },
        Misdeed("the connection closed") { _ in
            .init(Server.method(10, 50, channel: 0, Server.short(320) + Server.shortText("go away") + [0, 0, 0, 0]))
        },
        Misdeed("the connection closed, cut off") { _ in .init(Server.method(10, 50, channel: 0, [1]), thenCloses: true) },
        Misdeed("the channel closed") { _ in
            .init(Server.method(20, 40, Server.short(404) + Server.shortText("no") + [0, 0, 0, 0]), thenCloses: true)
        },
        Misdeed("a channel that nobody opened") { honest in
            .init(Server.method(60, 80, channel: 77, Server.longLong(1) + [0]), thenCloses: true)
        },
        Misdeed("a return without content, and the end") { _ in
            .init(
                Server.method(60, 50, Server.short(312) + Server.shortText("") + Server.shortText("") + Server.shortText("")),
                thenCloses: true)
        },
        Misdeed("text that is none") { _ in .init(Server.method(60, 30, [3, 0xFF, 0xFE, 0xFD, 0]), thenCloses: true) },
    ]

    // MARK: While publishing

    @Test(arguments: anywhere, [FakeAMQPServer.Step.start, .openOK, .confirmSelectOK, .confirm])
    func `a publisher survives it, and is served by the next connection`(_ misdeed: Misdeed, at step: FakeAMQPServer.Step) async throws {
        try await Self.with(misdeed, at: step) { broker in
            do {
                try await broker.publish(Numbered.message(1), to: Numbered.queue, notBefore: nil)
            } catch let error as QueueError {
                // A question is asked twice and no more.
                #expect(error.code == .unavailable)
            }
            try await broker.publish(Numbered.message(2), to: Numbered.queue, notBefore: nil)
        }
    }

    @Test(arguments: 0...21) func `a confirm that is cut off anywhere is none`(length: Int) async throws {
        try await Self.with(
            Misdeed("cut") { honest in .init(Array(honest.prefix(length)), thenCloses: true) }, at: .confirm, times: 1
        ) { broker in
            try await broker.publish(Numbered.message(1), to: Numbered.queue, notBefore: nil)
        }
    }

    @Test(arguments: [
        (UInt16(0), UInt32(0), UInt16(0)), (1, 1, 1), (1, 8, 0), (1, 4095, 0), (1, 4096, 1), (65_535, .max, 65_535), (0, 0x7FFF_FFFF, 30),
    ])
    func `whatever the server wants to agree on, nothing breaks`(channels: UInt16, frame: UInt32, heartbeat: UInt16) async throws {
        try await Self.with(
            Misdeed("tune") { _ in
                .init(Server.method(10, 30, channel: 0, Server.short(channels) + Server.long(frame) + Server.short(heartbeat)))
            }, at: .tune
        ) { broker in
            do {
                try await broker.publish(Numbered.message(1), to: Numbered.queue, notBefore: nil)
            } catch let error as QueueError {
                #expect(error.code == .unavailable)
            }
            try await broker.publish(Numbered.message(2), to: Numbered.queue, notBefore: nil)
        }
    }

    @Test func `confirms of what was never sent end nothing`() async throws {
        let confirms: [UInt8] =
            Server.method(60, 80, Server.longLong(.max) + [0]) + Server.method(60, 120, Server.longLong(77) + [0])
            + Server.method(60, 80, Server.longLong(0) + [0]) + Server.method(60, 120, Server.longLong(0) + [1])
        try await Self.with(Misdeed("confirms") { _ in .init(confirms, thenGoesOn: true) }, at: .confirm) { broker in
            try await broker.publish(Numbered.message(1), to: Numbered.queue, notBefore: nil)
            try await broker.publish(Numbered.message(2), to: Numbered.queue, notBefore: nil)
        }
    }

    @Test(arguments: tables.map(\.0)) func `a server's description of itself may hold anything`(_ name: String) async throws {
        let table = try #require(Self.tables.first { $0.0 == name }?.1)
        let rest = Server.longText(Array("PLAIN".utf8)) + Server.longText(Array("en_US".utf8))
        try await Self.with(
            Misdeed(name) { _ in .init(Server.method(10, 10, channel: 0, [0, 9] + Server.longText(table) + rest)) }, at: .start
        ) { broker in
            do {
                try await broker.publish(Numbered.message(1), to: Numbered.queue, notBefore: nil)
            } catch let error as QueueError {
                #expect(error.code == .unavailable)
            }
            try await broker.publish(Numbered.message(2), to: Numbered.queue, notBefore: nil)
        }
    }

    // MARK: While consuming

    @Test(arguments: anywhere) func `a consumer survives it, and gets its message over the next connection`(_ misdeed: Misdeed) async throws
    {
        try await Self.with(misdeed, at: .deliver) { broker in
            let receiving = PendingCall("receive") { try await broker.receive(Numbered.request()) }
            let delivery = try #require(try await receiving.value(within: .seconds(120)).first)
            #expect(delivery.message.body == Array("{}".utf8))
        }
    }

    @Test(arguments: tables.map(\.0)) func `a message's headers may hold anything`(_ name: String) async throws {
        let table = try #require(Self.tables.first { $0.0 == name }?.1)
        try await Self.with(
            Misdeed(name) { _ in .init(Server.delivery(consumer: "scalekit-1", headers: table, body: Array("{}".utf8))) }, at: .deliver,
            times: 1
        ) { broker in
            // As it is, without the headers that cannot be read, or over the next connection.
            let receiving = PendingCall("receive") { try await broker.receive(Numbered.request()) }
            let delivery = try #require(try await receiving.value(within: .seconds(120)).first)
            #expect(delivery.message.body == Array("{}".utf8))
        }
    }

    @Test(arguments: 0...80) func `a delivery that is cut off anywhere comes over the next connection`(length: Int) async throws {
        try await Self.with(
            Misdeed("cut") { honest in .init(Array(honest.prefix(length)), thenCloses: true) }, at: .deliver, times: 1
        ) { broker in
            let receiving = PendingCall("receive") { try await broker.receive(Numbered.request()) }
            let delivery = try #require(try await receiving.value(within: .seconds(120)).first)
            #expect(delivery.message.body == Array("{}".utf8))
        }
    }

    @Test(arguments: [UInt64.max, 1 << 62, 134_217_729]) func `a body beyond all limits is not waited for`(size: UInt64) async throws {
        let method = Server.method(
            60, 60, Server.shortText("scalekit-1") + Server.longLong(1) + [0] + Server.shortText("") + Server.shortText("q"))
        let endless = method + Server.contentHeader(bodySize: size, headers: []) + Server.frame(type: 3, [1, 2, 3])
        try await Self.with(Misdeed("endless") { _ in .init(endless) }, at: .deliver, times: 1) { broker in
            let receiving = PendingCall("receive") { try await broker.receive(Numbered.request()) }
            let delivery = try #require(try await receiving.value(within: .seconds(120)).first)
            #expect(delivery.message.body == Array("{}".utf8))
        }
    }
}
