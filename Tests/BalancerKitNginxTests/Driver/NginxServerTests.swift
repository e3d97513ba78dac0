import BalancerKit
import BalancerKitProxy
import Foundation
import Logging
import ScaleCore
import ScaleTesting
import ServiceLifecycle
import Testing

@testable import BalancerKitNginx

@Suite(.enabled(if: InstalledNginx.isInstalled, "needs nginx: Scripts/setup test")) struct NginxServerTests {
    private static func proxy(_ port: Int, to upstreams: Int...) -> ProxyConfiguration {
        var proxy = ProxyConfiguration(endpoints: upstreams.map { Endpoint(host: "127.0.0.1", port: $0) })
        (proxy.port, proxy.threads, proxy.timeouts.shutdown) = (port, 1, .seconds(1))
        return proxy
    }

    private static func server(_ proxy: ProxyConfiguration, _ scratch: Scratch) throws -> NginxServer {
        // Longer than a busy machine takes to start one.
        try NginxServer(proxy, directory: scratch.path, patience: .seconds(60))
    }

    /// Runs a server around `body`, and shuts it down gracefully.
    private static func with(_ server: NginxServer, _ body: @Sendable () async throws -> Void) async throws {
        let group = ServiceGroup(services: [server], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await server.started()
                try await body()
            } catch {
                await group.triggerGracefulShutdown()
                try? await tasks.waitForAll()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private static func ask(_ port: Int) async throws -> RawResponse {
        let connection = try await RawConnection.connect(port)
        try await connection.send(
            "GET /a%2fb//c?d=1 HTTP/1.1\r\nHost: Example.com:80\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n")
        let response = try await connection.response()
        await connection.close()
        return response
    }

    @Test func `a real nginx does what the embedded proxy does, follows a reload, and ends`() async throws {
        let first = try await ScriptedUpstream.start { _ in [.send(ok("first"))] }
        let second = try await ScriptedUpstream.start { _ in [.send(ok("second"))] }
        let port = try ScriptedUpstream.closedPort()
        let scratch = try Scratch()
        let server = try Self.server(Self.proxy(port, to: first.port), scratch)
        try await Self.with(server) {
            #expect(try await Self.ask(port).body == "first")
            try await server.reload(Self.proxy(port, to: second.port))
            try await eventually("the new settings hold") { try await Self.ask(port).body == "second" }
        }
        await #expect(throws: (any Error).self) { try await RawConnection.connect(port) }

        var embedded = Self.proxy(0, to: first.port)
        embedded.accessLog = nil
        try await withProxy(embedded) { running in _ = try await Self.ask(running.port) }
        let (byNginx, byProxy) = (try #require(first.requests.first), try #require(first.requests.last))
        #expect(byNginx.line == byProxy.line)
        for name in ["Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"] {
            #expect(byNginx.fields(name) == byProxy.fields(name), "\(name)")
        }
        await first.stop()
        await second.stop()
    }

    @Test func `settings that nginx refuses leave the old ones in place`() async throws {
        let upstream = try await ScriptedUpstream.start()
        let port = try ScriptedUpstream.closedPort()
        let scratch = try Scratch()
        let server = try Self.server(Self.proxy(port, to: upstream.port), scratch)
        try await Self.with(server) { () async throws in
            var refused = Self.proxy(port, to: upstream.port)
            refused.host = "no-such-host.invalid"
            let error = await #expect(throws: NginxError.self) { try await server.reload(refused) }
            #expect(error?.code == .rejected)
            #expect(error?.message.hasPrefix("host not found in \"no-such-host.invalid:\(port)\" of the \"listen\" directive") == true)
            #expect(try await Self.ask(port).body == "hello")
        }
        await upstream.stop()
    }

    @Test func `a reload is seen among what requests write into a log of any length`() async throws {
        let second = try await ScriptedUpstream.start { _ in [.send(ok("second"))] }
        let port = try ScriptedUpstream.closedPort()
        let scratch = try Scratch()
        // Longer than a file that is read whole.
        #expect(FileManager.default.createFile(atPath: "\(scratch.path)/error.log", contents: nil))
        #expect(truncate("\(scratch.path)/error.log", off_t(Inclusion.mostBytes) + 1) == 0)
        var failing = Self.proxy(port, to: 1)
        // Of a socket that is not there a worker says [crit].
        failing.routes = [ProxyRoute(prefix: "/", upstream: .init(endpoints: [Endpoint(unixPath: "\(scratch.path)/none")]))]
        let server = try Self.server(failing, scratch)
        try await Self.with(server) { [failing] in
            try await withThrowingTaskGroup { tasks in
                tasks.addTask { while !Task.isCancelled { _ = try? await Self.ask(port) } }
                for _ in 0..<5 { try await server.reload(failing) }
                tasks.cancelAll()
            }
            try await server.reload(Self.proxy(port, to: second.port))
            try await eventually("the new settings hold") { try await Self.ask(port).body == "second" }
        }
        await second.stop()
    }

    @Test func `what the main process says is told apart from what others say, from anywhere on`() throws {
        let scratch = try Scratch()
        let before = "2026/01/31 23:59:58 [notice] 17#17: signal 1 (SIGHUP) received\n"
        let new = """
            2026/01/31 23:59:59 [crit] 18#18: *1 connect() to unix:/x failed (2: No such file or directory)
            2026/01/31 23:59:59 [emerg] 17#17: bind() failed
            2026/01/31 23:59:59 [notice] 170#17: start worker process 1
            [] 17#17: half
            """
        let log = MasterLog(path: try scratch.write("error.log", before), processID: 17)
        let end = log.end
        #expect(end == before.utf8.count)
        #expect(log.lines(from: end) == [])
        _ = try scratch.write("error.log", before + new)
        #expect(log.lines(from: end) == ["2026/01/31 23:59:59 [emerg] 17#17: bind() failed"])
        _ = try scratch.write("error.log", String(before.dropFirst(5)))
        #expect(log.lines(from: end).count == 1, "the log was made anew")
        #expect(MasterLog(path: "\(scratch.path)/none", processID: 17).lines(from: 0) == [])
    }

    @Test func `a port in use is told in nginx's words`() async throws {
        let occupant = try await ScriptedUpstream.start()
        let scratch = try Scratch()
        let server = try Self.server(Self.proxy(occupant.port, to: 1), scratch)
        let error = await #expect(throws: NginxError.self) { try await server.run() }
        #expect(error?.code == .notStarted)
        #expect(error?.message.contains("bind() to 127.0.0.1:\(occupant.port) failed") == true, "\(error?.message ?? "")")
        await occupant.stop()
    }

    @Test func `an nginx that is killed ends the service with an error`() async throws {
        let port = try ScriptedUpstream.closedPort()
        let scratch = try Scratch()
        let server = try Self.server(Self.proxy(port, to: 1), scratch)
        async let result: NginxError? = {
            do { try await server.run() } catch { return error as? NginxError }
            return nil
        }()
        try await server.started()
        let id = try #require(Int32(try String(contentsOfFile: "\(scratch.path)/nginx.pid", encoding: .utf8).filter(\.isNumber)))
        kill(id, SIGTERM)
        #expect(await result?.code == .notStarted)
    }

    @Test func `without nginx the error says so`() async throws {
        let scratch = try Scratch()
        let server = try NginxServer(Self.proxy(1, to: 1), directory: scratch.path, executable: "/nowhere/nginx")
        let error = await #expect(throws: NginxError.self) { try await server.run() }
        #expect(error?.code == .notStarted)
        await #expect(throws: NginxError.self) { try await server.started() }
    }
}
