import BalancerKit
import ScaleTesting
import Testing

@testable import BalancerKitProxy

@Suite struct StreamingTests {
    @Test func `a request reaches the upstream while the client still sends it`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
            try await eventually("the head is there") { upstream.pendingBytes() > 0 }
            let head = upstream.pendingBytes()
            try await connection.send("abc")
            try await eventually("the first half is there") { upstream.pendingBytes() == head + 3 }
            try await connection.send("def")
            #expect(try await connection.response().status == 200)
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a response reaches the client while the upstream still sends it`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")] }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await connection.until("\r\n\r\nabc")
            try await upstream.send("def")
            #expect(try await connection.response().body == "abcdef")
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `large bodies go through whole, both ways and in both framings`() async throws {
        let large = String(repeating: "0123456789abcdef", count: 20_000)
        let upstream = try await ScriptedUpstream.start { request in
            let body = request.body
            return [
                .send(
                    body.contains("\r\n")
                        ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(body)" : ok(body))
            ]
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: \(large.utf8.count)\r\n\r\n\(large)")
            #expect(try await connection.response().body == large)
            let size = String(large.utf8.count, radix: 16)
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(size)\r\n\(large)\r\n0\r\n\r\n")
            let response = try await connection.response()
            #expect(Self.unchunk(response.body) == large)
            await connection.close()
        }
        await upstream.stop()
    }

    static func unchunk(_ text: String) -> String? {
        guard case .finished(let data, _) = follow(Array(text.utf8)) else { return nil }
        return data
    }

    @Test func `an upstream is not read faster than the client takes`() async throws {
        let size = 64 << 20
        let sent = RecordedFacts<Int>()
        let upstream = try await ScriptedUpstream.start { _ in [.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")] }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await connection.until("\r\n\r\n")
            try await connection.setReading(false)
            let feeder = Task {
                let piece = String(repeating: "x", count: 1 << 20)
                for _ in 0..<(size >> 20) {
                    try await upstream.send(piece)
                    sent.record(1)
                }
            }
            // Kernel buffers take some; what the proxy takes itself is bounded by its watermarks.
            var last = -1
            try await eventually("the upstream cannot send on") {
                let count = sent.count
                defer { last = count }
                try await Task.sleep(for: .milliseconds(300))
                return count == last && count == sent.count
            }
            #expect(sent.count < size >> 21, "\(sent.count) MiB were taken for a client that takes nothing")
            try await connection.setReading(true)
            try await feeder.value
            try await eventually("all of it arrives") { connection.received.count > size }
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a client is not read faster than the upstream takes`() async throws {
        let size = 64 << 20
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
            try await eventually("the head is there") { upstream.pendingBytes() > 0 }
            try await upstream.setReading(false)
            let sent = RecordedFacts<Int>()
            let feeder = Task {
                let piece = String(repeating: "x", count: 1 << 20)
                for _ in 0..<(size >> 20) {
                    try await connection.send(piece)
                    sent.record(1)
                }
            }
            var last = -1
            try await eventually("the client cannot send on") {
                let count = sent.count
                defer { last = count }
                try await Task.sleep(for: .milliseconds(300))
                return count == last && count == sent.count
            }
            #expect(sent.count < size >> 21, "\(sent.count) MiB were taken for an upstream that takes nothing")
            feeder.cancel()
            await connection.close()
            await upstream.stop()
            _ = await feeder.result
        }
    }
}

@Suite struct ShutdownTests {
    /// Longer than a busy machine takes for a test.
    static let longEnough = Duration.seconds(120)

    @Test func `a graceful shutdown finishes what is in flight and takes nothing new`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")] }
        var configuration = configuration(upstream.port)
        configuration.timeouts.shutdown = Self.longEnough
        // One that nobody else listens at when the proxy does no more.
        configuration.port = try ScriptedUpstream.closedPort()
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let busy = try await proxy.connect()
            let idle = try await proxy.connect()
            try await busy.send(get())
            try await busy.until("abc")
            await proxy.beginShutdown()
            try await idle.untilEnd()
            await #expect(throws: (any Error).self) { try await RawConnection.connect(proxy.port) }
            #expect(busy.end == .open)
            try await upstream.send("def")
            #expect(try await busy.response().body == "abcdef")
            // Its head was out before the shutdown began; the connection ends as an idle one.
            #expect(try await busy.untilEnd() == .closed)
        }
        await upstream.stop()
    }

    @Test func `a response during the shutdown says that it is the last`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [] }
        var configuration = configuration(upstream.port)
        configuration.timeouts.shutdown = Self.longEnough
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            let idle = try await proxy.connect()
            try await connection.send(get())
            try await eventually("the upstream is asked") { upstream.requests.count == 1 }
            await proxy.beginShutdown()
            // The shutdown has reached the event loop once it has closed who asks for nothing.
            #expect(try await idle.untilEnd() == .closed)
            try await upstream.send(ok("hello"))
            #expect(try await connection.response().field("Connection") == "close")
            #expect(try await connection.untilEnd() == .closed)
        }
        await upstream.stop()
    }

    @Test func `a request that never ends does not hold the shutdown up for ever`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [] }
        var configuration = configuration(upstream.port)
        configuration.timeouts.shutdown = .milliseconds(50)
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await eventually("the upstream is asked") { upstream.requests.count == 1 }
            await proxy.beginShutdown()
            try await connection.untilEnd()
        }
        await upstream.stop()
    }

    /// Clients that send one request after the other on kept connections until the proxy says that it is over. All are connected before the first
    /// asks: one that comes when the proxy listens no more is refused.
    static func load(_ proxy: RunningProxy, clients: Int, method: String = "GET", until isOver: @escaping @Sendable () -> Bool) async throws
        -> [Int]
    {
        var connections: [RawConnection] = []
        for _ in 0..<clients { connections.append(try await proxy.connect()) }
        return try await withThrowingTaskGroup(of: [Int].self) { group in
            for connection in connections {
                group.addTask {
                    var statuses: [Int] = []
                    while !isOver() {
                        try await connection.send(get(method: method))
                        let response = try await connection.response()
                        statuses.append(response.status)
                        if response.field("Connection") == "close" { break }
                    }
                    await connection.close()
                    return statuses
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    @Test func `a graceful stop under load fails no request`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        (configuration.timeouts.shutdownIdle, configuration.timeouts.shutdown) = (Self.longEnough, Self.longEnough)
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            async let statuses = Self.load(proxy, clients: 16) { false }
            try await eventually("load") { upstream.requests.count > 200 }
            await proxy.beginShutdown()
            #expect(try await statuses.allSatisfy { $0 == 200 })
        }
        await upstream.stop()
    }

    @Test func `an upstream that stops under load fails no idempotent request`() async throws {
        let first = try await ScriptedUpstream.start()
        let second = try await ScriptedUpstream.start()
        try await withProxy(configuration(first.port, second.port)) { (proxy: RunningProxy) async throws in
            let isOver = RecordedFacts<Void>()
            async let statuses = Self.load(proxy, clients: 16) { isOver.count > 0 }
            try await eventually("load on both") { first.requests.count > 100 && second.requests.count > 100 }
            await first.stop()
            let count = second.requests.count
            try await eventually("the other takes over") { second.requests.count > count + 300 }
            isOver.record(())
            #expect(try await statuses.allSatisfy { $0 == 200 })
        }
        await second.stop()
    }

    @Test func `a port in use is an error that names the address`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.port = upstream.port
        let proxy = try ReverseProxy(configuration)
        let error = await #expect(throws: ProxyError.self) { try await proxy.run() }
        #expect(error?.code == .addressInUse)
        #expect(error?.place == "127.0.0.1:\(upstream.port)")
        await #expect(throws: ProxyError.self) { try await proxy.address() }
        await upstream.stop()
    }

    @Test func `a configuration that cannot work names its setting`() {
        let cases: [(String, (inout ProxyConfiguration) -> Void)] = [
            ("port", { $0.port = 65_536 }), ("port", { $0.port = -1 }), ("host", { $0.host = "" }), ("backlog", { $0.backlog = 0 }),
            ("threads", { $0.threads = 0 }), ("routes", { $0.routes = [] }), ("routes", { $0.routes[0].prefix = "api" }),
            ("routes", { $0.routes[0].action = .refuse(status: 200) }), ("limits.headerLength", { $0.limits.headerLength = 0 }),
            ("limits.targetLength", { $0.limits.targetLength = .max }), ("limits.bodyLength", { $0.limits.bodyLength = -1 }),
            ("timeouts.clientHead", { $0.timeouts.clientHead = .zero }), ("endpoints", { $0 = ProxyConfiguration(endpoints: []) }),
            ("forwarding.serverHeader", { $0.forwarding.serverHeader = .replace("a\r\nb") }),
            ("forwarding.hostHeader", { $0.forwarding.hostHeader = .fixed("") }),
        ]
        for (place, change) in cases {
            var broken = configuration(1)
            change(&broken)
            let error = #expect(throws: ProxyError.self) { try ReverseProxy(broken) }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.place == place)
        }
    }
}

@Suite struct TimeoutTests {
    /// Time that stands still; the coarse timer looks at it every few milliseconds.
    func run(
        _ change: @Sendable (inout ProxyConfiguration) -> Void = { _ in }, upstream: ScriptedUpstream,
        _ body: @Sendable (RunningProxy, ManualTime) async throws -> Void
    ) async throws {
        let time = ManualTime()
        var configuration = configuration(upstream.port)
        change(&configuration)
        try await withProxy(configuration, time: time.source) { (proxy: RunningProxy) async throws in
            do {
                try await body(proxy, time)
            } catch {
                await time.advance(by: .seconds(10_000))
                throw error
            }
            await time.advance(by: .seconds(10_000))
        }
        await upstream.stop()
    }

    @Test func `the time for a head is absolute, however steadily its bytes drip`() async throws {
        try await self.run(upstream: try await .start()) { (proxy: RunningProxy, time: ManualTime) async throws in
            let connection = try await proxy.connect()
            try await connection.send("GET /a HT")
            for piece in ["TP/1.1\r\n", "Host: a\r\n", "X: 1\r\n"] {
                // The proxy has one event loop: what it answers here, it does after it has read what was sent before.
                _ = try await proxy.ask(get())
                await time.advance(by: .seconds(19))
                try await connection.send(piece)
            }
            #expect(connection.end == .open)
            await time.advance(by: .seconds(4))
            #expect(try await connection.response().status == 408)
            await connection.close()
        }
    }

    @Test func `a connection on which nothing was asked ends in silence`() async throws {
        try await self.run(upstream: try await .start()) { (proxy: RunningProxy, time: ManualTime) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            _ = try await connection.response()
            let count = connection.received.count
            await time.advance(by: .seconds(76))
            #expect(try await connection.untilEnd() == .closed)
            #expect(connection.received.count == count)
        }
    }

    @Test func `a body may take long, but not pause`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await self.run(upstream: upstream) { (proxy: RunningProxy, time: ManualTime) async throws in
            let connection = try await proxy.connect()
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
            try await eventually("the head is there") { upstream.pendingBytes() > 0 }
            for _ in 0..<3 {
                let count = upstream.pendingBytes()
                await time.advance(by: .seconds(50))
                try await connection.send("x")
                try await eventually("the byte is there") { upstream.pendingBytes() == count + 1 }
            }
            await time.advance(by: .seconds(61))
            #expect(try await connection.response().status == 408)
            try await eventually("the upstream is let go") { upstream.openConnectionCount == 0 }
            await connection.close()
        }
    }

    @Test func `an upstream that does not answer is 504`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [] }
        try await self.run(upstream: upstream) { (proxy: RunningProxy, time: ManualTime) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await eventually("the upstream is asked") { upstream.requests.count == 1 }
            await time.advance(by: .seconds(61))
            #expect(try await connection.response().status == 504)
            try await eventually("the upstream is let go") { upstream.openConnectionCount == 0 }
            await connection.close()
        }
    }

    @Test func `an upstream that pauses in the middle of its response is a broken response`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")] }
        try await self.run(upstream: upstream) { (proxy: RunningProxy, time: ManualTime) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await connection.until("abc")
            await time.advance(by: .seconds(61))
            try await connection.untilEnd()
        }
    }

    @Test func `an idle upstream connection is given up in time`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await self.run(upstream: upstream) { (proxy: RunningProxy, time: ManualTime) async throws in
            _ = try await proxy.ask(get())
            #expect(upstream.openConnectionCount == 1)
            await time.advance(by: .seconds(61))
            try await eventually("it is closed") { upstream.openConnectionCount == 0 }
        }
    }
}
