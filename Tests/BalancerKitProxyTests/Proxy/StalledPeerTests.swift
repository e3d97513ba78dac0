import BalancerKit
import NIOCore
import ScaleTesting
import Testing

@testable import BalancerKitProxy

/// Peers that take nothing of what is sent to them.
@Suite struct StalledPeerTests {
    /// Far more than the kernel's buffers on both sides hold.
    static let length = 64 << 20

    @Test func `a client that stops reading loses its connection, and the upstream is let go`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in
            [.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.length)\r\n\r\n" + String(repeating: "x", count: Self.length))]
        }
        var configuration = configuration(upstream.port)
        configuration.timeouts.clientSend = .milliseconds(200)
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.setReading(false)
            try await connection.send(get())
            try await eventually("the upstream is asked") { upstream.requests.count == 1 }
            try await eventually("the client's time is over") {
                proxy.log.all.contains { $0.contains("client timed out") && $0.contains("response") }
            }
            try await eventually("the upstream is let go") { upstream.openConnectionCount == 0 }
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a client that takes its response slowly is given time again`() async throws {
        let length = 32 << 20
        let upstream = try await ScriptedUpstream.start { _ in
            [.send("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n" + String(repeating: "x", count: length))]
        }
        let time = ManualTime()
        try await withProxy(configuration(upstream.port), time: time.source) { (proxy: RunningProxy) async throws in
            // Linux grows a receive buffer of its own choice up to what it is set to, 32 MiB here and there; the proxy's side holds 4 MiB as a rule.
            let connection = try await RawConnection.connect(proxy.port) { channel in
                try channel.syncOptions?.setOption(.socketOption(.so_rcvbuf), value: 1 << 18)
            }
            try await connection.send(get())
            // Four pauses of 40 s each, and more in between than the kernel holds: the proxy itself gets on.
            for _ in 0..<4 {
                try await connection.setReading(false)
                await time.advance(by: .seconds(40))
                try await connection.setReading(true)
                let count = connection.received.count
                try await eventually("more has come") { connection.received.count >= min(count + (7 << 20), length) }
            }
            try await eventually("all has come") { connection.received.count > length }
            #expect(connection.end == .open)
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `an upstream that stops reading is 504, and another is not asked for a body that is on its way`() async throws {
        let stalled = try await ScriptedUpstream.start()
        let other = try await ScriptedUpstream.start()
        var configuration = configuration(stalled.port, other.port)
        configuration.timeouts.upstreamSend = .milliseconds(200)
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: \(Self.length)\r\n\r\n")
            try await eventually("the upstream is asked") { stalled.pendingBytes() > 0 }
            try await stalled.setReading(false)
            connection.sendLater(Array(repeating: 0x78, count: Self.length))
            #expect(try await connection.response().status == 504)
            #expect(other.connectionCount == 0)
            await connection.close()
        }
        await stalled.stop()
        await other.stop()
    }
}
