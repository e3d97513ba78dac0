import Foundation
import Programs
import ScaleTesting
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The source material's site, with the ports of its two servers.
private func djangoSite(_ first: Int, _ second: Int) -> String {
    """
    upstream django_app {
        server 127.0.0.1:\(first);
        server 127.0.0.1:\(second);
    }

    server {
        listen 80;

        location / {
            proxy_pass http://django_app;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
        }
    }
    """
}

@Suite struct RunRules {
    @Test(arguments: [SIGTERM, SIGINT]) func `a site is served where --listen says, and TERM and INT end it with 0`(signal: Int32)
        async throws
    {
        try await EchoServer.with { first in
            try await EchoServer.with { second in
                let program = try EdgeProxyProgram()
                let file = try program.file("myapp", djangoSite(first.port, second.port))
                let running = try program.start("run", file, "--context", "http", "--listen", "127.0.0.1:0")
                let port = try await running.port()
                for _ in 0..<2 {
                    let answer = try await HTTPConversation.request("GET", "/a?b=1", port: port)
                    #expect(answer.status == 200)
                    #expect(answer.text.hasPrefix("GET /a?b=1 HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: 127.0.0.1\r\n"), "\(answer.text)")
                }
                running.signal(signal)
                let outcome = try await running.outcome()
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(outcome.output.isEmpty)
            }
        }
    }

    @Test func `HUP ends nothing`() async throws {
        try await EchoServer.with { server in
            let program = try EdgeProxyProgram()
            let file = try program.file("myapp", djangoSite(server.port, 9))
            let running = try program.start("run", file, "--context", "http", "--listen", "127.0.0.1:0")
            let port = try await running.port()
            for _ in 0..<3 { running.signal(SIGHUP) }
            for _ in 0..<3 { #expect(try await HTTPConversation.request("GET", "/", port: port).status == 200) }
            running.signal(SIGTERM)
            let outcome = try await running.outcome()
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
    }

    @Test func `what has no effect is listed before it serves`() async throws {
        let program = try EdgeProxyProgram()
        let file = try program.file("site", "gzip on;\n" + djangoSite(9, 10))
        let running = try program.start("run", file, "--context", "http", "--listen", "127.0.0.1:0")
        _ = try await running.port()
        #expect(running.errors.contains("\(file):1: \"gzip\" has no effect here\n"), "\(running.errors)")
        running.signal(SIGTERM)
        #expect(try await running.outcome().status == 0)
    }

    @Test func `each address of a file is served, and --listen replaces them one by one`() async throws {
        try await EchoServer.with { upstream in
            let program = try EdgeProxyProgram()
            let socket = program.directory.appendingPathComponent("s").path
            let file = try program.file(
                "site",
                """
                server { listen unix:\(socket); server_name a.example; return 301 https://$host$request_uri; }
                server { listen 8443; location / { proxy_pass http://127.0.0.1:\(upstream.port); } }
                """)
            let running = try program.start(
                "run", file, "--context", "http", "--listen", "unix:\(socket)", "--listen", "127.0.0.1:0")
            let port = try await running.port()
            #expect(try await HTTPConversation.request("GET", "/", port: port).status == 200)
            try await eventually(within: .seconds(60), "the socket is there; \(running.errors)") {
                FileManager.default.fileExists(atPath: socket)
            }
            running.signal(SIGTERM)
            #expect(try await running.outcome().status == 0)
            let tooMany = try await program.run(
                "run", file, "--context", "http", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0")
            #expect(tooMany.status == 1)
            #expect(tooMany.errors == "Error: --listen: given 3 times, and the file has 2 addresses\n")
        }
    }

    @Test(arguments: [SIGUSR1, SIGHUP]) func `access_log's file is written, and USR1 and HUP make it anew where it was moved away`(
        signal: Int32
    ) async throws {
        let program = try EdgeProxyProgram()
        let log = program.directory.appendingPathComponent("access.log").path
        let file = try program.file("site", "server { listen 80; access_log access.log; add_header X-A $uri; return 200 hello; }")
        let running = try program.start("run", file, "--context", "http", "--listen", "127.0.0.1:0")
        let port = try await running.port()
        func lines(_ path: String) -> Int { (try? String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count) ?? 0 }
        _ = try await HTTPConversation.request("GET", "/1", port: port)
        try await eventually(within: .seconds(60), "a line; \(running.errors)") { lines(log) == 1 }
        try FileManager.default.moveItem(atPath: log, toPath: log + ".1")
        running.signal(signal)
        try await eventually(within: .seconds(60), "a new file; \(running.errors)") { FileManager.default.fileExists(atPath: log) }
        _ = try await HTTPConversation.request("GET", "/2", port: port)
        try await eventually(within: .seconds(60), "a line in it; \(running.errors)") { lines(log) == 1 }
        running.signal(SIGTERM)
        #expect(try await running.outcome().status == 0)
    }

    @Test func `a socket is served and removed in the end`() async throws {
        let program = try EdgeProxyProgram()
        let file = try program.file("site", djangoSite(9, 10))
        let socket = program.directory.appendingPathComponent("s").path
        let running = try program.start("run", file, "--context", "http", "--listen", "unix:\(socket)")
        try await eventually(within: .seconds(60), "the socket is there; \(running.errors)") {
            FileManager.default.fileExists(atPath: socket)
        }
        running.signal(SIGTERM)
        #expect(try await running.outcome().status == 0)
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    @Test func `a port in use is one line that names it, and status 1`() async throws {
        try await EchoServer.with { occupant in
            let program = try EdgeProxyProgram()
            let file = try program.file("site", djangoSite(9, 10))
            let outcome = try await program.run("run", file, "--context", "http", "--listen", "127.0.0.1:\(occupant.port)")
            #expect(outcome.status == 1)
            let complaints = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
            #expect(complaints.count == 1 && complaints[0].contains("127.0.0.1:\(occupant.port)"), "\(outcome.errors)")
        }
    }

    @Test(arguments: [
        "", "nowhere", "127.0.0.1:99999", "127.0.0.1:x", "unix:", ":0", "[::1:0", "unix:\(String(repeating: "x", count: 200))",
    ])
    func `an address that is none is one line that names the option`(listen: String) async throws {
        let program = try EdgeProxyProgram()
        let file = try program.file("site", djangoSite(9, 10))
        let outcome = try await program.run("run", file, "--context", "http", "--listen", listen)
        #expect(outcome.status == 1)
        #expect(outcome.errors.hasPrefix("Error: --listen: "), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    }
}

@Suite struct RenderRules {
    @Test func `the file on standard output is accepted by nginx -t and by check, and rendered again is the same`() async throws {
        let program = try EdgeProxyProgram()
        let file = try program.file("myapp", djangoSite(9, 10).replacingOccurrences(of: "listen 80", with: "listen 127.0.0.1:18981"))
        let rendered = try await program.run("render", file, "--context", "http")
        #expect(rendered.status == 0, "\(rendered.errors)")
        let whole = try program.file("nginx.conf", rendered.output)
        let verdict = try await InstalledNginx.verdict(on: whole, prefix: program.directory.path)
        #expect(verdict.status == 0, "\(verdict.errors)")
        #expect(try await program.run("check", whole).status == 0)
        #expect(try await program.run("render", whole).output == rendered.output)
    }

    @Test func `what was left out is listed on standard error, and the file stays clean`() async throws {
        let program = try EdgeProxyProgram()
        let file = try program.file("site", "gzip on;\n" + djangoSite(9, 10))
        let rendered = try await program.run("render", file, "--context", "http")
        #expect(rendered.status == 0)
        #expect(rendered.errors.hasPrefix("\(file):1: \"gzip\" has no effect here\n"), "\(rendered.errors)")
        #expect(!rendered.output.contains("gzip"))
    }
}
