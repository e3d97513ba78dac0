import BalancerKitProxy
import Foundation
import Testing

@testable import BalancerKitNginx

private typealias Request = SameAnswers.Request

@Suite struct RoutingAnswers {
    @Test func `servers by name: exact, masks, expressions, default_server`() async throws {
        let text = """
            server { listen 127.0.0.1:{port}; server_name first.example; return 200 "first"; }
            server { listen 127.0.0.1:{port} default_server; server_name www.b.example *.d.example; return 200 "default"; }
            server { listen 127.0.0.1:{port}; server_name a.example A2.example; return 200 "exact"; }
            server { listen 127.0.0.1:{port}; server_name *.a.example; return 200 "below a"; }
            server { listen 127.0.0.1:{port}; server_name *.x.a.example; return 200 "below x.a"; }
            server { listen 127.0.0.1:{port}; server_name .dot.example; return 200 "dot"; }
            server { listen 127.0.0.1:{port}; server_name mail.* www.b.*; return 200 "mail"; }
            server { listen 127.0.0.1:{port}; server_name ~^w[0-9]+\\.example$; return 200 "expression"; }
            server { listen 127.0.0.1:{port}; server_name ~^w1\\.; return 200 "later expression"; }
            server { listen 127.0.0.1:{port}; server_name ""; return 200 "none"; }
            """
        let hosts = [
            "first.example", "a.example", "A.EXAMPLE", "a.example:99", "a.example.", "a2.example", "b.a.example", "c.b.a.example",
            "x.a.example",
            "y.x.a.example", "dot.example", "z.dot.example", "zdot.example", "mail.example", "mail.co.uk", "mail", "xmail.example",
            "www.b.example", "www.b.org", "q.d.example", "w12.example", "w1.example", "w1.other", "w.example", "unknown", "127.0.0.1",
            "[::1]",
        ]
        let answers = try await SameAnswers.expect(text, hosts.map { Request("/", host: $0) } + [Request("/", host: nil)])
        // That the table is not all one answer.
        #expect(Set(answers.map(\.body)).count == 10)
    }

    @Test func `locations in nginx's order`() async throws {
        let text = """
            server {
                listen 127.0.0.1:{port};
                location / { return 200 "/"; }
                location = / { return 200 "= /"; }
                location /images/ { return 200 "/images/"; }
                location ^~ /firm/ { return 200 "^~ /firm/"; }
                location ^~ /firm/not/ { return 200 "^~ /firm/not/"; }
                location /firm/not/really/ { return 200 "/firm/not/really/"; }
                location = /images/exact.png { return 200 "= /images/exact.png"; }
                location ~ \\.(gif|png)$ { return 200 "~ gif png"; }
                location ~* \\.JPE?G$ { return 200 "~* jpg"; }
                location ~ ^/images/.*\\.gif$ { return 200 "~ later"; }
                location ~ /\\.(?!well-known) { return 200 "hidden"; }
                location ~ ^/user/(?<id>[0-9]+)/(.*)$ { return 200 "user $id $2"; }
                location /outer {
                    return 200 "outer";
                    location /outer/inner { return 200 "inner"; }
                    location = /outer/exact { return 200 "exact within"; }
                    location ~ \\.png$ { return 200 "png within"; }
                }
                location ^~ /f2 {
                    return 200 "f2";
                    location ~ \\.txt$ { return 200 "txt within f2"; }
                }
                location ~ ^/re/ {
                    return 200 "re";
                    location ~ x$ { return 200 "x within re"; }
                }
            }
            """
        let targets = [
            "/", "/index.html", "/?a=b", "/images/", "/images/a.gif", "/images/exact.png", "/images/x.JPG", "/x.jpeg", "/x.GIF",
            "/firm/a.png",
            "/firm/not/a.png", "/firm/not/really/a.png", "/%69mages/exact.png", "/a/%2e%2e/images/exact.png", "//images//a.gif", "/a.gif/b",
            "/a.png?x=.txt",
            "/.git/config", "/a/.well-known/x", "/.well-known.txt", "/user/12/a/b", "/user/x/a", "/user/12/", "/outer", "/outer/inner/x",
            "/outer/exact", "/outer/exact/", "/outer/a.png", "/outer/inner/a.png", "/outerx", "/f2/a.txt", "/f2/a.png", "/re/ax",
            "/re/plain/y",
            "/re/plainx", "/a%0A.gif", "/a.gif%0A", "/a.gif%0Ab", "/%2egif", "/images/a%2Egif", "/a%3f.gif",
        ]
        let answers = try await SameAnswers.expect(text, targets.map { Request($0) })
        #expect(Set(answers.map(\.body)).count > 15)
    }

    @Test func `the path is replaced where proxy_pass has one, and else forwarded as it came`() async throws {
        let upstream = try await SameAnswers.echo("up")
        let to = "127.0.0.1:\(upstream.port)"
        let text = """
            upstream app { server \(to); }
            server {
                listen 127.0.0.1:{port};
                location /as-it-is/ { proxy_pass http://app; }
                location /uri/ { proxy_pass http://\(to)/new/; }
                location /bare { proxy_pass http://app/; }
                location /same/ { proxy_pass http://app/same/; }
                location = /exact { proxy_pass http://app/other; }
                location /query/ { proxy_pass http://app/x?y=; }
                location ^~ /firm/ { proxy_pass http://app/f; }
                location ~ ^/re/ { proxy_pass http://app; }
                location /in/ { proxy_pass http://app/i/; location /in/in/ { proxy_pass http://app/ii/; } }
            }
            """
        let targets = [
            "/as-it-is/a%20b/../c?x=1", "/as-it-is/%2f//y", "/uri/", "/uri/a%20b/../c?x=1", "/uri/a%2fb%3f%23%25%c3%a9",
            "/uri/%7e%22%3c%60%7c",
            "/uri//a//b", "/uri/./a", "/uri/a?", "/uri/a?b?c", "/uri/;a=b", "/uri/a'b*(c)", "/bare", "/bare/x", "/barely", "/same/a/../b",
            "/exact", "/exact?q",
            "/e%78act", "/query/z?w=1", "/firm/a", "/re/a/../../re/x", "/in/x", "/in/in/x%2Fy", "/uri", "/uri?q=1", "/as-it-is",
            "/x/../uri",
            "/uri/%5c%5e%7b%7d", "/uri/[a]", "/uri/a|b", "/uri/a%00b", "/nowhere",
        ]
        // What nginx takes and we refuse is no matter of routes: a zero byte in a path.
        _ = try await SameAnswers.expect(text, targets.map { Request($0) })
        await upstream.stop()
    }

    @Test func `return: texts, redirections, variables`() async throws {
        let text = """
            default_type text/html;
            server {
                listen 127.0.0.1:{port};
                server_name a.example;
                location /text { return 200 "uri=$uri args=$args host=$host http_host=$http_host method=$request_method $scheme"; }
                location /more { return 200 "$is_args|$arg_b|$cookie_c|$http_x_y|$remote_addr|$request_uri|$server_name|${uri}x"; }
                location /type { default_type text/css; return 200 "a{}"; }
                location = /moved { return 301 /here; }
                location = /moved-far { return 308 https://$host$request_uri; }
                location = /url { return https://other.example/x; }
                location = /relative { absolute_redirect off; return 302 /there?$args; }
                location = /dollar { return 307 http://$http_host/$server_port; }
                location = /nothing { return 204; }
                location = /created { return 201 "made"; }
                location = /gone { return 410; }
                location = /teapot { return 418 "short and stout"; }
                location = /empty { return 200; }
                location = /inject { return 302 $uri; }
                location ~ ^/c/(.*)$ { return 301 /to/$1; }
            }
            """
        let requests = [
            Request("/text%41/../text?x=y"), Request("/text?"), Request("/text", host: "A.Example:8080"), Request("/text", host: nil),
            Request("/more?a=1&B=2&b=3", "Cookie: a=b; c=d; e=f", "X-Y: z"), Request("/more"), Request("/type"), Request("/moved"),
            Request("/moved", host: "other:99"), Request("/moved-far?q=1"), Request("/url"), Request("/relative?a"), Request("/dollar"),
            Request("/nothing"),
            Request("/created"), Request("/gone"), Request("/empty"), Request("/c/d/e"), Request("/inject"),
            Request("/moved", method: "HEAD"),
            Request("/text", method: "POST", "Content-Length: 0"), Request("/unknown"),
        ]
        _ = try await SameAnswers.expect(text, requests, fields: ["Location", "Content-Type"].filter { $0 == "Location" })
        _ = try await SameAnswers.expect(
            text, [Request("/text"), Request("/type"), Request("/created")], fields: ["Content-Type", "Content-Length"])
    }

    @Test func `a text that nginx sends with an error is sent as well`() async throws {
        let text = "server { listen 127.0.0.1:0; location / { return 418 \"short and stout\"; } location = /x { return 444; } }"
            .replacingOccurrences(of: ":0", with: ":8080")
        var proxy = try NginxConfiguration(parsing: text.utf8, context: .http).proxy
        (proxy.port, proxy.threads) = (0, 1)
        try await withProxy(proxy) { running in
            let answer = try await running.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(answer.status == 418 && answer.body == "short and stout")
            let connection = try await running.connect()
            try await connection.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await connection.untilEnd()
            #expect(connection.received.isEmpty)
        }
    }

    @Test func `a server's return holds for all of its paths, and is the usual way to https`() async throws {
        let text = """
            server { listen 127.0.0.1:{port}; server_name a.example; return 301 https://$host$request_uri; }
            server { listen 127.0.0.1:{port}; server_name b.example; return 301 https://$server_name/; location / { return 404; } }
            """
        _ = try await SameAnswers.expect(
            text,
            [
                Request("/"), Request("/a/b?c=d"), Request("/x", host: "b.example"), Request("/%2e%2e", host: "a.example"),
                Request("/", host: nil),
            ])
    }
}
