import BalancerKitProxy
import Foundation
import ScaleTesting
import Testing

@testable import BalancerKitNginx
@testable import BalancerKitProxy

private typealias Request = SameAnswers.Request

@Suite struct ResponseAnswers {
    private static let fields = ["X-A", "X-B", "X-C", "Location", "ETag", "Last-Modified", "Cache-Control", "Content-Range"]

    /// A directory with a file of a known age, and one with an index.
    private static func site() throws -> Scratch {
        let scratch = try Scratch()
        for name in ["a.txt", "d/index.html", "mod/a.txt"] {
            let file = try scratch.write(name, "0123456789")
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)], ofItemAtPath: file)
        }
        return scratch
    }

    /// An upstream that answers with the status that the path ends with, or with fields of its own.
    private static func upstream() async throws -> ScriptedUpstream {
        try await ScriptedUpstream.start { request in
            let path = request.line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            if path.hasSuffix("/own") {
                return [
                    .send(
                        "HTTP/1.1 200 OK\r\nX-A: own\r\nETag: \"own\"\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
                            + "Cache-Control: private\r\nCache-Control: no-store\r\nExpires: 0\r\nContent-Length: 2\r\n\r\nhi")
                ]
            }
            if path.hasSuffix("/upgrade") {
                return [.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello"), .close]
            }
            let status = Int(path.suffix(3)) ?? 200
            return [.send("HTTP/1.1 \(status) Some\r\n\(status == 204 || status == 304 ? "" : "Content-Length: 0\r\n")\r\n")]
        }
    }

    @Test func `add_header: which statuses get it, and whose it is`() async throws {
        let (scratch, upstream) = (try Self.site(), try await Self.upstream())
        let closed = try ScriptedUpstream.closedPort()
        let text = """
            add_header X-A http;
            limit_req_zone $http_x_key zone=key:1m rate=1r/m;
            server {
                listen 127.0.0.1:{port} default_server;
                server_name a.example;
                add_header X-A "a $request_method" ; add_header X-B b always;
                types { text/plain txt; }
                absolute_redirect off;
                client_max_body_size 4;
                proxy_set_header Host $host;
                location / { root \(scratch.path); }
                location /app/ { proxy_pass http://127.0.0.1:\(upstream.port); }
                location /own/ {
                    add_header X-A "$uri $http_x_k|$arg_q"; add_header X-A second; add_header X-C "" always; add_header X-B $http_none always;
                    proxy_pass http://127.0.0.1:\(upstream.port);
                    location /own/inner { proxy_pass http://127.0.0.1:\(upstream.port); }
                    location /own/other { add_header X-C inner; proxy_pass http://127.0.0.1:\(upstream.port); }
                }
                location /none { add_header X-C ""; proxy_pass http://127.0.0.1:\(upstream.port); }
                location /dead { proxy_pass http://127.0.0.1:\(closed); }
                location /dead/none { add_header X-A a; proxy_pass http://127.0.0.1:\(closed); }
                location /limited { limit_req zone=key; add_header X-C "key $http_x_key" always; proxy_pass http://127.0.0.1:\(upstream.port); }
                location /tags { add_header ETag '"new"'; add_header Last-Modified ""; proxy_pass http://127.0.0.1:\(upstream.port); }
                location /d/ { add_header ETag ""; add_header Last-Modified "Wed, 15 Nov 2023 22:13:20 GMT"; root \(scratch.path); }
                location ~ ^/group/(?<name>[a-z]+)$ { add_header X-C "$name $1" always; return 404 none; }
                location = /returned { return 200 here; }
                location = /refused { return 403; }
                location = /moved { return 308 /there; }
                location = /created { return 201 there; }
                location = /teapot { add_header X-A teapot always; return 418 "a pot"; }
            }
            server { listen 127.0.0.1:{port}; server_name b.example; location /app/ { proxy_pass http://127.0.0.1:\(upstream.port); proxy_set_header Host $host; } location / { return 404; } }
            server { listen 127.0.0.1:{port}; server_name c.example; add_header X-C c always; location / { return 404; } }
            """
        var requests = [
            "/a.txt", "/missing.txt", "/d", "/d/", "/app", "/app/x", "/app/own", "/own", "/own/%41%0a?q=1", "/own/inner", "/own/other",
            "/none",
            "/dead", "/dead/none", "/tags/own", "/group/abc", "/returned", "/refused", "/moved", "/created", "/teapot",
        ].map { Request($0, "X-K: k") }
        for status in [200, 201, 202, 203, 204, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 404, 410, 500, 503] {
            requests.append(Request("/app/\(status)"))
        }
        for line in ["Range: bytes=0-1", "If-None-Match: *", "If-Match: \"x\"", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT"] {
            requests.append(Request("/a.txt", line))
        }
        requests += [Request("/a.txt", method: "HEAD"), Request("/a.txt", method: "PUT"), Request("/app/x", method: "HEAD")]
        requests += [Request("/limited", "X-Key: v"), Request("/limited", "X-Key: v")]
        for host in ["b.example", "c.example", "other.example"] { requests += [Request("/app/x", host: host), Request("/x", host: host)] }
        var large = Request("/app/x", method: "POST", "Content-Length: 5")
        large.text += "12345"
        requests.append(large)
        // No request at all.
        var bad = Request("/")
        bad.text = "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"
        requests.append(bad)
        // What a path spells must not become a line of the head: nginx takes it as it is, we escape it.
        let safe = requests.filter { !$0.text.contains("%0a") }
        let answers = try await SameAnswers.expect(text, safe, fields: Self.fields)
        #expect(answers[0].fields.contains("X-A: a GET") && answers[0].fields.contains("X-B: b"), "\(answers[0])")
        #expect(answers[1].fields == ["X-B: b"], "\(answers[1])")
        #expect(answers.last?.status == 400 && answers.last?.fields == ["X-B: b"], "\(answers.map(\.description).last ?? "")")

        var proxy = try NginxConfiguration(parsing: text.replacingOccurrences(of: "{port}", with: "80").utf8, context: .http).proxy
        (proxy.port, proxy.threads, proxy.accessLog) = (0, 1, nil)
        try await withProxy(proxy) { running in
            let answer = try await running.ask(Request("/own/%41%0a?q=1", "X-K: k").text)
            #expect(answer.fields("X-A") == ["/own/A%0A k|1", "second"])
        }
        await upstream.stop()
    }

    /// nginx sends what holds always twice, since it goes through its filters twice.
    @Test func `a range that cannot be had gets what the file would, once`() async throws {
        let scratch = try Self.site()
        let text = """
            server {
                listen 127.0.0.1:{port};
                add_header X-A a; add_header ETag '"x"'; expires epoch;
                location / { root \(scratch.path); }
            }
            """
        let answers = try await SameAnswers.expect(text, [Request("/a.txt", "Range: bytes=99-")], fields: Self.fields)
        #expect(answers[0].status == 416 && answers[0].fields.contains("X-A: a"), "\(answers[0])")
    }

    @Test func `101 gets what holds always, and nothing else`() async throws {
        let upstream = try await Self.upstream()
        let text = """
            map $http_upgrade $connection_upgrade { default upgrade; '' close; }
            server {
                listen 127.0.0.1:{port};
                add_header X-A a; add_header X-B b always; expires max;
                location / {
                    proxy_pass http://127.0.0.1:\(upstream.port); proxy_http_version 1.1;
                    proxy_set_header Host $host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
                }
            }
            """
        let heads = try await SameAnswers.compare(text) { port in
            let connection = try await RawConnection.connect(port)
            try await connection.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            _ = try await connection.untilEnd()
            let answer = connection.text
            let names = ["X-A", "X-B", "Expires", "Cache-Control"]
            return [answer.split(separator: "\r\n").filter { line in names.contains { line.hasPrefix("\($0):") } }.joined(separator: "|")]
        }
        #expect(heads == ["X-B: b"])
        await upstream.stop()
    }

    @Test func `expires: what it says, and what it replaces`() async throws {
        let (scratch, upstream) = (try Self.site(), try await Self.upstream())
        let times = [
            "off", "epoch", "max", "1h", "+1d", "0", "-1", "-1h", "modified 1h", "modified 0", "modified -1h", "modified 30000d",
            "@23h59m59s", "@0",
            "1000y",
        ]
        let locations = times.enumerated().map { index, time in
            """
            location /f\(index)/ { expires \(time); alias \(scratch.path)/; }
            location /p\(index)/ { expires \(time); proxy_pass http://127.0.0.1:\(upstream.port)/; proxy_set_header Host $host; }
            location = /r\(index) { expires \(time); return 200 x; }
            """
        }
        let text = """
            expires 5m;
            server {
                listen 127.0.0.1:{port};
                \(locations.joined(separator: "\n"))
                location / { proxy_pass http://127.0.0.1:\(upstream.port); proxy_set_header Host $host; add_header Cache-Control public; }
                location /off/ { expires off; proxy_pass http://127.0.0.1:\(upstream.port)/; proxy_set_header Host $host; }
            }
            """
        var targets = ["/own", "/200", "/404", "/203", "/off/own", "/off/200"]
        for index in times.indices {
            targets += ["/f\(index)/a.txt", "/f\(index)/none", "/p\(index)/own", "/p\(index)/200", "/p\(index)/500", "/r\(index)"]
        }
        let asked = targets
        let answers = try await SameAnswers.compare(text) { port in
            var answers: [String] = []
            for target in asked {
                let connection = try await RawConnection.connect(port)
                try await connection.send(Request(target).text)
                let response = try await connection.response()
                await connection.close()
                func second(_ name: String) -> Int64? { response.fields(name).last.flatMap { HTTPDate.seconds(Array($0.utf8)) } }
                let control = response.fields("Cache-Control")
                var shown = "\(target) \(response.status) \(response.fields("Expires").count)"
                if let expires = second("Expires"), let date = second("Date") {
                    // What is counted from the present is told by its distance from it, since the tests run at different times.
                    shown += Self.isCounted(target, times) ? " \(expires - date)" : " \(response.fields("Expires"))"
                    shown += " \(control.map { $0 == "max-age=\(expires - date)" ? "as expires" : $0 })"
                } else {
                    shown += " \(response.fields("Expires")) \(control)"
                }
                answers.append(shown)
            }
            return answers
        }
        #expect(answers.contains("/p3/own 200 1 3600 [\"as expires\"]"), "\(answers)")
        #expect(answers.contains("/f1/none 404 0 [] []"), "\(answers)")
        await upstream.stop()
    }

    /// Whether the time is counted from the present: not from a modification, to a time of the day, or a date.
    private static func isCounted(_ target: String, _ times: [String]) -> Bool {
        guard let index = Int(target.dropFirst(2).prefix { $0.isNumber }), times.indices.contains(index) else { return true }
        let isModified = times[index].hasPrefix("modified") && !target.hasPrefix("/r") && !target.hasSuffix("/200")
        return !isModified && !["epoch", "max"].contains(times[index]) && !times[index].hasPrefix("@") || times[index] == "modified 0"
    }
}

@Suite struct LogAnswers {
    /// The time, and how long a page of an error is, are left out.
    private static func lines(_ file: String) -> [String] {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").map { line in
            line.replacingOccurrences(of: #"\[[^\]]*\]"#, with: "[]", options: .regularExpression)
                .replacingOccurrences(of: #"" ([34][0-9]{2}) [1-9][0-9]* ""#, with: "\" $1 N \"", options: .regularExpression)
        }
    }

    @Test func `access_log: the same lines in the same files`() async throws {
        let upstream = try await SameAnswers.echo("up")
        let scratch = try Scratch()
        try scratch.write("www/a.txt", "0123456789")
        let text = """
            server {
                listen 127.0.0.1:{port};
                access_log \(scratch.path)/one.log;
                types { text/plain txt; }
                proxy_set_header Host $host;
                location / { root \(scratch.path)/www; }
                location /app/ { proxy_pass http://127.0.0.1:\(upstream.port); }
                location /silent { access_log off; return 200 silent; }
                location /two { access_log \(scratch.path)/two.log combined; access_log \(scratch.path)/three.log; return 200 two; }
                location /two/inner { return 200 inner; }
                location /returned { return 200 "some text"; location /returned/inner { access_log \(scratch.path)/two.log; return 201 inner; } }
                location /closed { return 444; }
            }
            """
        let requests = [
            Request("/a.txt", "User-Agent: \"quoted\\ back\" é", "Referer: http://b/?q=1"), Request("/a.txt", method: "HEAD"),
            Request("/a.txt", "Range: bytes=2-4"), Request("/none"), Request("/app/x?q=\"é\"&token=1", "Authorization: Basic dXNlcjpwYXNz"),
            Request("/app", host: nil), Request("/silent"), Request("/two"), Request("/two/inner"), Request("/returned"),
            Request("/returned/inner", "Authorization: Basic ====", "User-Agent: a", "User-Agent: b"),
            Request("/returned", "Authorization: Bearer dXNlcjpwYXNz"), Request("/returned", method: "HEAD"), Request("/last"),
        ]
        let files = ["one", "two", "three"].map { "\(scratch.path)/\($0).log" }
        let lines = try await SameAnswers.compare(text) { (port: Int) async throws -> [[String]] in
            let before = files.map { Self.lines($0).count }
            for request in requests {
                let connection = try await RawConnection.connect(port)
                try await connection.send(request.text)
                _ = try await connection.response(toHead: request.text.hasPrefix("HEAD"))
                await connection.close()
            }
            let connection = try await RawConnection.connect(port)
            try await connection.send("NO REQUEST\r\n\r\n")
            try await connection.untilEnd()
            return try await eventually("the last line") { () -> [[String]]? in
                let lines: [[String]] = zip(files, before).map { Array(Self.lines($0).dropFirst($1)) }
                guard lines[0].contains(where: { $0.contains("NO REQUEST") }), lines[1].count == 2, lines[2].count == 1 else { return nil }
                return lines
            }
        }
        #expect(lines[0].count == 12, "\(lines[0])")
        #expect(lines[0][4].hasPrefix(#"127.0.0.1 - user [] "GET /app/x?q=\x22\xC3\xA9\x22&token=1 HTTP/1.1" 200 "#), "\(lines[0])")
        await upstream.stop()
    }
}
