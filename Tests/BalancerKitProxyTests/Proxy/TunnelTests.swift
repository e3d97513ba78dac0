import BalancerKit
import Logging
import ScaleTesting
import Testing

@testable import BalancerKitProxy

/// A server that switches to WebSocket, and a client that asks for it (RFC 6455).
private enum WebSocket {
    static let request = get(
        "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
    static let granted =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

    static func server() async throws -> ScriptedUpstream {
        try await ScriptedUpstream.start { $0.field("Upgrade") == nil ? [.send(ok("plain"))] : [.send(Self.granted)] }
    }

    /// A text frame, masked as a client's has to be.
    static func masked(_ text: String) -> [UInt8] {
        let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        return [0x81, 0x80 | UInt8(text.utf8.count)] + key + text.utf8.enumerated().map { $1 ^ key[$0 % 4] }
    }

    static func plain(_ text: String) -> String { "\u{1}\u{5}\(text)" }
}

@Suite struct TunnelTests {
    static func configuration(_ upstream: ScriptedUpstream, _ policy: UpgradePolicy = .any) -> ProxyConfiguration {
        var configuration = BalancerKitProxyTests.configuration(upstream.port)
        configuration.routes[0].upgrades = policy
        return configuration
    }

    /// A client over TLS whose connection has become a tunnel to the upstream.
    private static func withTunnelOverTLS(_ body: @escaping @Sendable (ScriptedUpstream, RawConnection) async throws -> Void) async throws {
        let directory = try TestDirectory()
        let upstream = try await WebSocket.server()
        var configuration = Self.configuration(upstream)
        configuration.tls = try TLSTests.tls(directory, [("one", TestCertificates.one, [])])
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await TLSClient().connect(proxy)
            try await connection.send(WebSocket.request)
            #expect(try await connection.response().status == 101)
            try await body(upstream, connection)
        }
        await upstream.stop()
        directory.remove()
    }

    @Test func `a WebSocket goes through: the handshake as asked and granted, then frames both ways as they come`() async throws {
        let upstream = try await WebSocket.server()
        var configuration = Self.configuration(upstream)
        configuration.accessLog = .info
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(WebSocket.request)
            let response = try await connection.response()
            #expect(response.status == 101)
            #expect(response.field("Upgrade") == "websocket")
            #expect(response.fields("Connection") == ["upgrade"])
            #expect(response.field("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(response.field("Content-Length") == nil && response.field("Transfer-Encoding") == nil)
            let asked = try #require(upstream.requests.first)
            #expect(asked.fields("Connection") == ["upgrade"])
            #expect(asked.fields("Upgrade") == ["websocket"])
            #expect(asked.field("Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ==")
            for count in 1...3 {
                connection.sendLater(WebSocket.masked("hello"))
                try await eventually("the frame is there") { upstream.pendingBytes() == 11 * count }
                try await upstream.send(WebSocket.plain("world\(count)"))
                try await connection.until("world\(count)")
            }
            await connection.close()
            try await eventually("the upstream is let go") { upstream.openConnectionCount == 0 }
            let line = try await proxy.log.first("the tunnel's line") { $0.hasPrefix("info request [") }
            #expect(line.contains("\"status\": 101") && line.contains("\"bytes\": 24"))
        }
        await upstream.stop()
    }

    @Test func `what comes right behind the handshake belongs to the tunnel, on both sides`() async throws {
        let upstream = try await ScriptedUpstream.start(answersHeads: true) { _ in [.send(WebSocket.granted + "first")] }
        try await withProxy(Self.configuration(upstream)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(WebSocket.request + "early")
            try await connection.until("\r\n\r\nfirst")
            try await eventually("the client's bytes are there") { upstream.pendingBytes() == 5 }
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `each side ends when it wants to, and the other still gets its word`() async throws {
        let upstream = try await WebSocket.server()
        try await withProxy(Self.configuration(upstream)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.allowHalfClosure()
            try await connection.send(WebSocket.request)
            #expect(try await connection.response().status == 101)
            try await upstream.allowHalfClosure()
            try await connection.send("last")
            await connection.finishSending()
            try await eventually("the upstream sees the end") { upstream.endedInputs == 1 }
            #expect(upstream.pendingBytes() == 4)
            #expect(upstream.openConnectionCount == 1)
            try await upstream.send("answer")
            try await connection.until("answer")
            try await upstream.close()
            #expect(try await connection.untilEnd() == .closed)
        }
        await upstream.stop()
    }

    @Test func `what a client says before it leaves reaches the upstream, over TLS as well`() async throws {
        try await Self.withTunnelOverTLS { upstream, connection in
            let length = 1 << 20
            try await connection.send(String(repeating: "x", count: length))
            await connection.close()
            try await eventually("all of it is there") { upstream.pendingBytes() == length }
            try await eventually("the upstream is let go") { upstream.openConnectionCount == 0 }
        }
    }

    @Test func `an upstream that ends first leaves the client its word`() async throws {
        let upstream = try await WebSocket.server()
        try await withProxy(Self.configuration(upstream)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.allowHalfClosure()
            try await connection.send(WebSocket.request)
            #expect(try await connection.response().status == 101)
            try await upstream.allowHalfClosure()
            try await upstream.send("bye")
            try await upstream.finishSending()
            try await connection.until("bye")
            try await eventually("the client sees the end") { connection.hasSeenEnd }
            try await connection.send("still here")
            try await eventually("the upstream hears it") { upstream.pendingBytes() == 10 }
            await connection.finishSending()
            try await eventually("all is over") { upstream.openConnectionCount == 0 }
            try await connection.untilEnd()
        }
        await upstream.stop()
    }

    @Test func `a tunnel on which nothing moves ends in time, one on which either side speaks does not`() async throws {
        let upstream = try await WebSocket.server()
        var configuration = Self.configuration(upstream)
        configuration.timeouts.upstreamRead = .seconds(60)
        configuration.timeouts.clientBody = .seconds(5)
        let time = ManualTime()
        try await withProxy(configuration, time: time.source) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(WebSocket.request)
            #expect(try await connection.response().status == 101)
            for count in 1...3 {
                await time.advance(by: .seconds(40))
                try await connection.send("x")
                try await eventually("it is there") { upstream.pendingBytes() == count }
                await time.advance(by: .seconds(40))
                try await upstream.send("y\(count)")
                try await connection.until("y\(count)")
            }
            #expect(connection.end == .open)
            await time.advance(by: .seconds(61))
            #expect(try await connection.untilEnd() == .closed)
            try await eventually("the upstream is let go") { upstream.openConnectionCount == 0 }
        }
        await upstream.stop()
    }

    @Test func `neither side of a tunnel is read faster than the other takes`() async throws {
        let upstream = try await WebSocket.server()
        let length = 48 << 20
        try await withProxy(Self.configuration(upstream)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(WebSocket.request)
            #expect(try await connection.response().status == 101)
            let piece = String(repeating: "x", count: 1 << 20)
            /// Sends all, and waits until no more is taken, whatever the kernel's buffers hold.
            func fill(_ send: @escaping @Sendable (String) async throws -> Void) async throws -> (Task<Void, any Error>, Int) {
                let sent = RecordedFacts<Int>()
                let feeder = Task {
                    for _ in 0..<(length >> 20) {
                        try await send(piece)
                        sent.record(1)
                    }
                }
                var last = -1
                try await eventually("the sender cannot send on") {
                    let count = sent.count
                    defer { last = count }
                    try await Task.sleep(for: .milliseconds(300))
                    return count == last && count == sent.count
                }
                return (feeder, sent.count)
            }
            try await upstream.setReading(false)
            let (feeder, taken) = try await fill { try await connection.send($0) }
            #expect(taken < length >> 21, "\(taken) MiB were taken for an upstream that takes nothing")
            try await upstream.setReading(true)
            try await feeder.value
            try await eventually("all has come") { upstream.pendingBytes() == length }
            try await connection.setReading(false)
            let (other, takenBack) = try await fill { try await upstream.send($0) }
            #expect(takenBack < length >> 21, "\(takenBack) MiB were taken for a client that takes nothing")
            try await connection.setReading(true)
            try await other.value
            try await eventually("all has come back") { connection.received.count > length }
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a refused upgrade is an answer like any other`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")] }
        try await withProxy(Self.configuration(upstream)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            for _ in 0..<2 {
                try await connection.send(WebSocket.request)
                let response = try await connection.response()
                #expect(response.status == 403 && response.body == "no")
            }
            #expect(upstream.connectionCount == 1)
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `only what the route passes is asked for, and h2c never`() async throws {
        let upstream = try await ScriptedUpstream.start()
        for (policy, lines, isPassed) in [
            (UpgradePolicy.never, ["Connection: upgrade", "Upgrade: websocket"], false),
            (.any, ["Connection: upgrade", "Upgrade: websocket"], true), (.any, ["Connection: upgrade", "Upgrade: foo/2"], true),
            (.any, ["Connection: upgrade", "Upgrade: h2c"], false), (.any, ["Connection: upgrade", "Upgrade: websocket, H2C"], false),
            (.any, ["Upgrade: websocket"], false), (.any, ["Connection: upgrade"], false),
            (.any, ["Connection: upgrade", "Upgrade: a", "Upgrade: b"], false), (.any, ["Connection: upgrade", "Upgrade:"], false),
            (.any, ["Connection: upgrade", "Upgrade: ,"], false),
            (.to(["WebSocket"]), ["Connection: upgrade", "Upgrade: websocket"], true),
            (.to(["websocket"]), ["Connection: upgrade", "Upgrade: foo"], false),
        ] {
            try await withProxy(Self.configuration(upstream, policy)) { (proxy: RunningProxy) async throws in
                let text = "GET /a HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
                #expect(try await proxy.ask(text).status == 200)
                #expect((upstream.requests.last?.field("Upgrade") != nil) == isPassed, "\(policy) \(lines)")
            }
        }
        // With a body the two sides could disagree where the new protocol begins.
        try await withProxy(Self.configuration(upstream)) { (proxy: RunningProxy) async throws in
            _ = try await proxy.ask("POST /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx")
            #expect(upstream.requests.last?.field("Upgrade") == nil)
            _ = try await proxy.ask("GET /a HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            #expect(upstream.requests.last?.field("Upgrade") == nil)
        }
        await upstream.stop()
    }

    @Test(arguments: [
        "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
        "HTTP/1.0 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ]) func `an upstream that switches to what was not asked for is a 502`(answer: String) async throws {
        let upstream = try await ScriptedUpstream.start { _ in [.send(answer)] }
        try await withProxy(Self.configuration(upstream)) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(WebSocket.request).status == 502)
            try await eventually("the connection is dropped") { upstream.openConnectionCount == 0 }
        }
        await upstream.stop()
    }

    @Test func `a tunnel goes through TLS, its half-closed end included`() async throws {
        try await Self.withTunnelOverTLS { upstream, connection in
            connection.sendLater(WebSocket.masked("hello"))
            try await eventually("the frame is there") { upstream.pendingBytes() == 11 }
            try await upstream.send("answer")
            try await upstream.close()
            try await connection.until("answer")
            #expect(try await connection.untilEnd() == .closed)
        }
    }

    @Test func `the end of a tunnel's two sides, in each order`() {
        var tunnel = Tunnel()
        #expect(tunnel.ended(.client) == .endOutput)
        #expect(tunnel.ended(.client) == .nothing)
        #expect(tunnel.ended(.upstream) == .finish)
        var other = Tunnel()
        #expect(other.ended(.upstream) == .endOutput)
        #expect(other.ended(.upstream) == .nothing)
        #expect(other.ended(.client) == .finish)
    }
}

@Suite struct ServerSentEventTests {
    @Test func `each event reaches the client when it is sent, over HTTP/1.1 and 1.0`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in
            [.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")]
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (index, version) in ["HTTP/1.1", "HTTP/1.0"].enumerated() {
                let connection = try await proxy.connect()
                try await connection.send(get("Accept: text/event-stream", version: version))
                try await connection.until("text/event-stream")
                for number in 1...3 {
                    let event = "id: \(number)\ndata: hello\n\n"
                    try await upstream.send("\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n", on: index)
                    // Waited for before the next is sent: whoever gathers events never gets here.
                    try await connection.until(event)
                }
                await connection.close()
                try await eventually("the upstream is let go") { upstream.openConnectionCount == 0 }
            }
        }
        await upstream.stop()
    }
}
