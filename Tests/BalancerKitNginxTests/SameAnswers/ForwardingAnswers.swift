import BalancerKitProxy
import Foundation
import ScaleTesting
import Testing

@testable import BalancerKitNginx

private typealias Request = SameAnswers.Request

@Suite struct ForwardingAnswers {
    private static let seen = [
        "Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Own", "Accept-Encoding", "Authorization",
    ]

    @Test func `proxy_set_header is inherited where a location has none, and has variables`() async throws {
        let upstream = try await SameAnswers.echo("up", Self.seen)
        let all = """
            proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
            """
        let text = """
            upstream app { server 127.0.0.1:\(upstream.port); }
            server {
                listen 127.0.0.1:{port};
                server_name front.example;
                \(all) proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
                location /inherited { proxy_pass http://app; }
                location /own { \(all) proxy_pass http://app; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Own "a $uri b"; }
                location /chain { \(all) proxy_pass http://app; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }
                location /fixed { \(all) proxy_pass http://app; proxy_set_header Host api.example; proxy_set_header X-Forwarded-For $remote_addr; }
                location /proxy-host { \(all) proxy_pass http://app/x; proxy_set_header Host $proxy_host; proxy_set_header X-Forwarded-For $remote_addr; }
                location /gone { \(all) proxy_pass http://app; proxy_set_header Host $server_name; proxy_set_header Accept-Encoding ""; proxy_set_header Authorization ""; proxy_set_header X-Forwarded-For ""; }
                location /replaced { \(all) proxy_pass http://app; proxy_set_header X-Forwarded-For 1.2.3.4; proxy_set_header Host $host:8443; }
            }
            """
        let lines = ["X-Own: c", "Accept-Encoding: gzip", "Authorization: Basic x", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Host: evil"]
        let requests = ["/inherited", "/own/%41", "/own/x%0d%0aSet-Cookie:%20a", "/chain", "/fixed", "/proxy-host", "/gone", "/replaced"]
            .map { path in
                var request = Request(path, host: "Client.Example:8080")
                request.text = request.text.replacingOccurrences(
                    of: "Connection: close\r\n", with: "Connection: close\r\n" + lines.map { $0 + "\r\n" }.joined())
                return request
            }
        // Nginx would split the field at the line's end that the path spells; we escape it.
        let safe = requests.filter { !$0.text.contains("%0d") }
        _ = try await SameAnswers.expect(text, safe)

        var proxy = try NginxConfiguration(parsing: text.replacingOccurrences(of: "{port}", with: "80").utf8, context: .http).proxy
        (proxy.port, proxy.threads) = (0, 1)
        try await withProxy(proxy) { running in
            let answer = try await running.ask(requests[2].text)
            #expect(answer.body.contains("X-Own=a /own/x%0D%0ASet-Cookie: a b"), "\(answer.body)")
        }
        await upstream.stop()
    }

    @Test func `client_max_body_size of a location`() async throws {
        let upstream = try await SameAnswers.echo("up")
        let text = """
            client_max_body_size 10;
            server {
                listen 127.0.0.1:{port};
                proxy_set_header Host $host;
                location / { proxy_pass http://127.0.0.1:\(upstream.port); }
                location /large { client_max_body_size 20; proxy_pass http://127.0.0.1:\(upstream.port); }
                location /any { client_max_body_size 0; proxy_pass http://127.0.0.1:\(upstream.port); }
            }
            """
        var requests: [Request] = []
        for path in ["/", "/large", "/any"] {
            for length in [10, 11, 20, 21] {
                var request = Request(path, method: "POST", "Content-Length: \(length)")
                request.text += String(repeating: "x", count: length)
                requests.append(request)
            }
        }
        let answers = try await SameAnswers.expect(text, requests)
        #expect(answers.map(\.status) == [200, 413, 413, 413, 200, 200, 200, 413, 200, 200, 200, 200])
        await upstream.stop()
    }

    @Test func `requests in flight are limited by their key, until one has ended`() async throws {
        let upstream = try await ScriptedUpstream.start { $0.line.contains("/slow") ? [] : [.send(ok("hello"))] }
        let text = """
            limit_conn_zone $host zone=flights:1m;
            server {
                listen 127.0.0.1:{port};
                location / {
                    limit_conn flights 2; limit_conn_status 429;
                    proxy_pass http://127.0.0.1:\(upstream.port); proxy_set_header Host $host;
                }
                location /free/ { proxy_pass http://127.0.0.1:\(upstream.port); proxy_set_header Host $host; }
            }
            """
        let statuses = try await SameAnswers.compare(text) { port in
            func status(_ request: Request) async throws -> Int {
                let connection = try await RawConnection.connect(port)
                try await connection.send(request.text)
                defer { connection.closeLater() }
                return try await connection.response().status
            }
            var statuses = [try await status(Request("/"))]
            let asked = upstream.requests.count
            var flights: [RawConnection] = []
            for count in 1...2 {
                flights.append(try await RawConnection.connect(port))
                try await flights[count - 1].send(Request("/slow").text)
                try await eventually("\(count) under way") { upstream.requests.count == asked + count }
            }
            for request in [
                Request("/"), Request("/slow"), Request("/", host: "A.example:80"), Request("/", host: "b.example"), Request("/free/"),
            ] {
                statuses.append(try await status(request))
            }
            await flights[0].close()
            statuses.append(try await eventually("there is room") { try await status(Request("/")) == 200 ? 200 : nil })
            await flights[1].close()
            return statuses
        }
        #expect(statuses == [200, 429, 429, 429, 200, 200, 200])
        await upstream.stop()
    }

    @Test(arguments: [
        "hash $request_uri;", "hash $arg_k;", "hash $http_x_key consistent;", "hash \"${host}-$uri-$arg_k\" consistent;", "ip_hash;",
        "least_conn;", "",
    ])
    func `the same keys go to the same endpoints`(method: String) async throws {
        var upstreams: [ScriptedUpstream] = []
        for name in ["one", "two", "three"] { upstreams.append(try await SameAnswers.echo(name)) }
        let text = """
            upstream app { \(method) server 127.0.0.1:\(upstreams[0].port) weight=3; server 127.0.0.1:\(upstreams[1].port); server 127.0.0.1:\(upstreams[2].port) weight=2; }
            server { listen 127.0.0.1:{port}; location / { proxy_pass http://app; proxy_set_header Host $host; } }
            """
        let requests = (0..<40).map { Request("/\($0 % 7)?k=\($0 % 5 == 0 ? "" : "\($0)")", "X-Key: key-\($0)") }
        let answers = try await SameAnswers.expect(text, requests)
        let names = Set(answers.map { $0.body.split(separator: "\n")[0] })
        switch method {
        case "ip_hash;": #expect(names.count == 1)
        // Where the ports put the endpoints on the ring is another place in each run: the keys may all miss the lightest of them.
        case _ where method.hasSuffix("consistent;"): #expect(names.count > 1)
        default: #expect(names.count == 3)
        }
        for upstream in upstreams { await upstream.stop() }
    }

    @Test func `a key whose endpoint is gone goes on to the same other one`() async throws {
        var upstreams: [ScriptedUpstream] = []
        for name in ["one", "two", "three"] { upstreams.append(try await SameAnswers.echo(name)) }
        let closed = try ScriptedUpstream.closedPort()
        for method in ["hash $request_uri;", "hash $request_uri consistent;", "ip_hash;"] {
            let text = """
                upstream app { \(method) server 127.0.0.1:\(closed) max_fails=0; server 127.0.0.1:\(upstreams[0].port) down;
                server 127.0.0.1:\(upstreams[1].port); server 127.0.0.1:\(upstreams[2].port); }
                server { listen 127.0.0.1:{port}; location / { proxy_pass http://app; proxy_set_header Host $host; } }
                """
            let answers = try await SameAnswers.expect(text, (0..<20).map { Request("/\($0)") })
            #expect(answers.allSatisfy { $0.status == 200 }, "\(method)")
        }
        for upstream in upstreams { await upstream.stop() }
    }
}
