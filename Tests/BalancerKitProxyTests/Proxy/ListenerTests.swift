import BalancerKit
import BalancerKitProxy
import ScaleTesting
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct ListenerTests {
    /// A path that is short enough for a socket, and nobody else's.
    static func socketPath(_ name: String) -> String { "/tmp/scalekit-\(getpid())-\(name).sock" }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    @Test func `a proxy listens on a Unix domain socket, whose clients have no address, and removes it`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let path = Self.socketPath("listen")
        var configuration = configuration(upstream.port)
        configuration.unixSocket = path
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            #expect(proxy.address.unixSocket == path)
            #expect(proxy.address.description == "unix:\(path)")
            let connection = try await RawConnection.connect(unixSocket: path)
            for _ in 0..<2 {
                try await connection.send(get())
                #expect(try await connection.response().status == 200)
            }
            #expect(upstream.requests.last?.field("X-Real-IP") == "unix:")
            #expect(upstream.requests.last?.field("X-Forwarded-For") == "unix:")
            await connection.close()
        }
        #expect(!Self.exists(path))
        await upstream.stop()
    }

    @Test func `a socket that nobody listens on any more is replaced, one in use is an error`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let path = Self.socketPath("taken")
        // What a process leaves behind that was killed: a bound socket's file, and nobody behind it.
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isBound = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        close(descriptor)
        #expect(isBound == 0 && Self.exists(path))
        var configuration = configuration(upstream.port)
        configuration.unixSocket = path
        let inUse = configuration
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let second = try ReverseProxy(inUse)
            let error = await #expect(throws: ProxyError.self) { try await second.run() }
            #expect(error?.code == .addressInUse)
            #expect(error?.place == "unix:\(path)")
            let connection = try await RawConnection.connect(unixSocket: path)
            try await connection.send(get())
            #expect(try await connection.response().status == 200)
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `an upstream is reached over a Unix domain socket`() async throws {
        let path = Self.socketPath("upstream")
        let upstream = try await ScriptedUpstream.start(unixSocket: path)
        var configuration = ProxyConfiguration(endpoints: [Endpoint(unixPath: path)])
        configuration.port = 0
        configuration.threads = 1
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).body == "hello")
            #expect(try await proxy.ask(get()).body == "hello")
            #expect(upstream.connectionCount == 1)
        }
        await upstream.stop()
        unlink(path)
    }

    @Test func `a proxy listens on IPv6, and says so in brackets`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.host = "::1"
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            #expect(proxy.address.host == "::1")
            #expect(proxy.address.description == "[::1]:\(proxy.port)")
            let connection = try await RawConnection.connect(proxy.port, host: "::1")
            try await connection.send(get())
            #expect(try await connection.response().status == 200)
            #expect(upstream.requests.last?.field("X-Real-IP") == "::1")
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `with a socket for each event loop all of them answer on one port`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.reusesPort = true
        configuration.threads = 2
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            for _ in 0..<20 { #expect(try await proxy.ask(get()).status == 200) }
        }
        await upstream.stop()
    }

    @Test(arguments: ["", String(repeating: "a", count: 104), "/tmp/a\u{0}b"]) func `a socket path that cannot be bound names the setting`(
        path: String
    ) {
        var configuration = configuration(1)
        configuration.unixSocket = path
        let error = #expect(throws: ProxyError.self) { try ReverseProxy(configuration) }
        #expect(error?.place == "unixSocket")
    }
}
