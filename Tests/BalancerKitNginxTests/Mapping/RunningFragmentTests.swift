import BalancerKit
import BalancerKitProxy
import ScaleCore
import Testing

@testable import BalancerKitNginx

/// A site as it stands in `sites-available`, with the ports of its two servers.
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

@Suite struct RunningFragmentTests {
    @Test func `the fragment of a Django site runs unchanged: in turn, with Host and X-Real-IP`() async throws {
        let first = try await ScriptedUpstream.start { _ in [.send(ok("first"))] }
        let second = try await ScriptedUpstream.start { _ in [.send(ok("second"))] }
        let scratch = try Scratch()
        let file = try scratch.write("sites-available/myapp", djangoSite(first.port, second.port))
        let site = try NginxConfiguration(contentsOf: file, context: .http)
        #expect(site.proxy.host == "0.0.0.0" && site.proxy.port == 80)

        var proxy = site.proxy
        (proxy.host, proxy.port, proxy.threads) = ("127.0.0.1", 0, 1)
        try await withProxy(proxy) { running in
            var bodies: [String] = []
            for _ in 0..<4 { bodies.append(try await running.ask("GET /a?b=1 HTTP/1.1\r\nHost: Example.COM:8080\r\n\r\n").body) }
            #expect(bodies == ["first", "second", "first", "second"])
        }
        #expect(first.requests.map(\.line) == ["GET /a?b=1 HTTP/1.1", "GET /a?b=1 HTTP/1.1"])
        #expect(first.requests.map { $0.field("Host") } == ["example.com", "example.com"])
        #expect(second.requests.map { $0.field("X-Real-IP") } == ["127.0.0.1", "127.0.0.1"])
        await first.stop()
        await second.stop()
    }

    @Test func `nginx's limit of a body holds where the file says nothing`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var proxy = try NginxConfiguration(parsing: djangoSite(upstream.port, upstream.port + 1).utf8, context: .http).proxy
        (proxy.host, proxy.port, proxy.threads) = ("127.0.0.1", 0, 1)
        try await withProxy(proxy) { running in
            let answer = try await running.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n")
            #expect(answer.status == 413)
        }
        await upstream.stop()
    }

    @Test func `an exact location is taken by its path alone, and nested ones before outer ones`() async throws {
        let outer = try await ScriptedUpstream.start { _ in [.send(ok("outer"))] }
        let inner = try await ScriptedUpstream.start { _ in [.send(ok("inner"))] }
        let text = """
            server {
                listen 127.0.0.1:80;
                proxy_set_header Host $host;
                location / {
                    proxy_pass http://127.0.0.1:\(outer.port);
                    location /in/ { proxy_pass http://127.0.0.1:\(inner.port); }
                }
                location = /in/one { return 410; }
                location /private { deny all; }
            }
            """
        var proxy = try NginxConfiguration(parsing: text.utf8, context: .http).proxy
        (proxy.port, proxy.threads) = (0, 1)
        try await withProxy(proxy) { running in
            for (path, status, body) in [
                ("/", 200, "outer"), ("/i", 200, "outer"), ("/in/", 200, "inner"), ("/in/one/more", 200, "inner"),
            ] {
                let answer = try await running.ask("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(answer.status == status && answer.body == body, "\(path)")
            }
            for (path, status) in [("/in", 301), ("/in/one", 410), ("/x/../in/%6fne", 410), ("/private/x", 403)] {
                #expect(try await running.ask("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n").status == status, "\(path)")
            }
        }
        await outer.stop()
        await inner.stop()
    }
}
