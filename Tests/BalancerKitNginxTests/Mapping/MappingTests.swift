import BalancerKit
import BalancerKitProxy
import Testing

@testable import BalancerKitNginx

private func read(_ text: String, _ context: NginxContext = .http) throws(NginxError) -> NginxConfiguration {
    try NginxConfiguration(parsing: text.utf8, file: "FILE", context: context)
}

/// A server around the statements of its only location.
private func location(_ text: String) -> String {
    "server { listen 127.0.0.1:8080; location / {\nproxy_pass http://127.0.0.1:1;\n\(text)\n} }"
}

private func onlyUpstream(_ configuration: NginxConfiguration) throws -> UpstreamConfiguration {
    let route = try #require(configuration.proxy.routes.first)
    guard case .forward(let upstream) = route.action else { throw NginxError(code: .unsupported, message: "no upstream") }
    return upstream
}

@Suite struct MappingTests {
    @Test func `an upstream's servers and parameters`() throws {
        let site = try read(
            """
            server { location / { proxy_pass http://App; } }
            upstream app {
                server 10.0.0.1 weight=5 max_fails=3 fail_timeout=1m max_conns=7;
                server A.example:8001 backup;
                server [::1]:8002 down;
                server unix:/run/app.sock;
                keepalive 16; keepalive_requests 10; keepalive_time 1m; keepalive_timeout 5s;
                least_conn;
            }
            """)
        let upstream = try onlyUpstream(site)
        #expect(
            upstream.endpoints == [
                Endpoint(.host("10.0.0.1", port: 80), weight: 5, maxFails: 3, failTimeout: .seconds(60), maxConnections: 7),
                Endpoint(.host("a.example", port: 8001), isBackup: true), Endpoint(.host("::1", port: 8002), isDown: true),
                Endpoint(.unix(path: "/run/app.sock")),
            ])
        #expect(upstream.strategy is LeastConnections)
        #expect(upstream.keepAlive.connections == 16 && upstream.keepAlive.requests == 10)
        #expect(upstream.keepAlive.time == .seconds(60) && upstream.keepAlive.idle == .seconds(5))
    }

    @Test(arguments: [
        ("", "RoundRobin"), ("least_conn;", "LeastConnections"), ("random two;", "PowerOfTwoChoices"), ("random;", "WeightedRandom"),
        ("ip_hash;", "NetworkHash"), ("hash $uri;", "KeyHash"), ("hash $uri consistent;", "ConsistentHash"),
    ])
    func `a method becomes a strategy`(method: String, strategy: String) throws {
        let site = try read("upstream a { \(method) server 127.0.0.1; } server { location / { proxy_pass http://a; } }")
        #expect("\(type(of: try onlyUpstream(site).strategy))" == strategy)
    }

    @Test func `without keepalive no connection is kept, as in nginx`() throws {
        #expect(try onlyUpstream(try read(location(""))).keepAlive.connections == 0)
    }

    @Test func `times and sizes, those of the innermost block`() throws {
        let site = try read(
            """
            proxy_read_timeout 1s; proxy_connect_timeout 2s; client_max_body_size 5m; client_header_timeout 3s; keepalive_timeout 9s;
            keepalive_requests 5; large_client_header_buffers 2 1k;
            server {
                proxy_read_timeout 4s; client_body_timeout 6s; send_timeout 7s;
                location / { proxy_pass http://127.0.0.1:1; proxy_read_timeout 1500ms; proxy_send_timeout 8s; }
            }
            """)
        let times = site.proxy.timeouts
        #expect(times.upstreamRead == .milliseconds(1500) && times.upstreamConnect == .seconds(2) && times.upstreamSend == .seconds(8))
        #expect(times.clientHead == .seconds(3) && times.clientBody == .seconds(6) && times.clientSend == .seconds(7))
        #expect(site.proxy.limits.bodyLength == 5 << 20)
        #expect(site.proxy.limits.targetLength == 1024 && site.proxy.limits.headerLength == 2048)
        #expect(site.proxy.clientKeepAlive.idle == .seconds(9) && site.proxy.clientKeepAlive.requests == 5)
        #expect(try read(location("client_max_body_size 0;")).proxy.limits.bodyLength == nil)
        #expect(try read(location("")).proxy.limits.bodyLength == 1 << 20)
    }

    @Test(arguments: [
        ("", "127.0.0.1:1"), ("proxy_set_header Host $http_host;", "original"), ("proxy_set_header Host $host;", "normalized"),
        ("proxy_set_header Host www.example;", "www.example"), ("proxy_set_header Host $proxy_host;", "127.0.0.1:1"),
        ("proxy_set_header X-Real-IP $remote_addr;", "127.0.0.1:1"),
    ])
    func `the Host that upstreams see`(statement: String, host: String) throws {
        switch try read(location(statement)).proxy.forwarding.hostHeader {
        case .fixed(let text): #expect(text == host)
        case .normalized: #expect(host == "normalized")
        case .original: #expect(host == "original")
        }
    }

    @Test func `headers of a location replace all of the server's, as in nginx`() throws {
        let site = try read(
            """
            server { proxy_set_header Host $host;
            location / { proxy_pass http://app; proxy_set_header X-Real-IP $remote_addr; } }
            upstream app { server 127.0.0.1; }
            """)
        guard case .fixed("app") = site.proxy.forwarding.hostHeader else {
            Issue.record("Host is not $proxy_host")
            return
        }
    }

    @Test func `when a request goes on to the next upstream`() throws {
        let rules = try onlyUpstream(
            try read(
                location("proxy_next_upstream error http_502 non_idempotent; proxy_next_upstream_tries 3; proxy_next_upstream_timeout 5s;"))
        ).nextUpstream
        #expect(rules.conditions == [.error, .http502, .nonIdempotent])
        #expect(rules.tries == 3 && rules.timeout == .seconds(5))
        #expect(try onlyUpstream(try read(location("proxy_next_upstream off;"))).nextUpstream.conditions.isEmpty)
        #expect(try onlyUpstream(try read(location(""))).nextUpstream.conditions == [.error, .timeout])
    }

    @Test(arguments: [
        ("listen 8080;", "0.0.0.0", 8080), ("listen 127.0.0.1:81;", "127.0.0.1", 81), ("listen [::1]:82;", "::1", 82),
        ("listen *:83;", "0.0.0.0", 83), ("listen 84; listen [::]:84;", "::", 84), ("", "0.0.0.0", 80),
        ("listen localhost;", "localhost", 80),
    ])
    func `where the proxy listens`(statement: String, host: String, port: Int) throws {
        let proxy = try read("server { \(statement) location / { proxy_pass http://127.0.0.1:1; } }").proxy
        #expect(proxy.host == host && proxy.port == port)
    }

    @Test func `a socket, its backlog, and reuseport`() throws {
        let server = { (listen: String) in "server { listen \(listen); location / { proxy_pass http://127.0.0.1:1; } }" }
        #expect(try read(server("unix:/run/p.sock")).proxy.unixSocket == "/run/p.sock")
        let proxy = try read(server("90 backlog=7 reuseport")).proxy
        #expect(proxy.backlog == 7 && proxy.reusesPort)
        #expect(try read(server("90")).proxy.backlog == 511)
    }

    @Test func `a whole file: processes are threads`() throws {
        let file = { (head: String) in "\(head) events {} http { \(location("")) }" }
        #expect(try read(file("worker_processes 3;"), .main).proxy.threads == 3)
        #expect(try read(file("worker_processes auto;"), .main).proxy.threads == nil)
        #expect(try read(file("worker_shutdown_timeout 3s;"), .main).proxy.timeouts.shutdown == .seconds(3))
    }

    // MARK: What is not done

    @Test(arguments: [
        (
            "server {\nlocation ~ (?<=x)y { proxy_pass http://a; } }",
            "lookbehind is not supported in the regular expression \"(?<=x)y\"", 2
        ),
        ("server {\nlocation / { fastcgi_pass a:1; } }", "\"fastcgi_pass\" is not supported by the embedded proxy", 2),
        ("server {\nlocation / { grpc_pass a:1; } }", "\"grpc_pass\" is not supported by the embedded proxy", 2),
        (
            "server {\nlocation / { } }",
            "the embedded proxy has nothing to answer with: the location has no \"proxy_pass\", \"return\", \"root\" or \"alias\"", 2
        ),
        ("\nserver { }", "the server has no \"location\", no \"return\" and no \"root\"", 2),
        (
            "server { location / {\nroot html; } }", "\"root\" must be an absolute path without variables for the embedded proxy", 2
        ),
        (
            "server { root /x; location / {\ntry_files $uri @app; } }",
            "\"try_files\" is \"$uri\", perhaps \"$uri/\", and \"=404\" or a file for the embedded proxy", 2
        ),
        ("server {\nlocation / { proxy_pass https://a; } }", "an upstream with https is not supported by the embedded proxy", 2),
        ("server { location / {\nproxy_pass http://$host; } }", "variables in \"proxy_pass\" are not supported by the embedded proxy", 2),
        (
            "server { location / { proxy_pass http://a;\nproxy_set_header Content-Length 1; } }",
            "\"proxy_set_header Content-Length\" with this value is not supported by the embedded proxy", 2
        ),
        (
            "server { location / { proxy_pass http://a;\nproxy_set_header X-Other $request_id; } }",
            "the variable \"$request_id\" is not supported by the embedded proxy", 2
        ),
        (
            "server { location / { proxy_pass http://a;\nallow 10.0.0.1; deny all; } }", "\"allow\" is not supported by the embedded proxy",
            2
        ),
        ("server { location / { proxy_pass http://a;\nauth_basic x; } }", "\"auth_basic\" is not supported by the embedded proxy", 2),
        (
            "server { location / { proxy_pass http://a; }\nif ($host = a) { return 403; } }",
            "\"if\" is not supported by the embedded proxy", 2
        ),
        (
            "server { listen 80;\nlisten 127.0.0.1:80; location / { proxy_pass http://a; } }",
            "the embedded proxy cannot listen on one address and on all of them by the same port", 2
        ),
        (
            "server { listen 80; return 404; } server {\nlisten [::]:80; return 404; }",
            "the embedded proxy serves both families of one port alike, and this one has other servers", 2
        ),
        ("server {\nserver_name $hostname; return 404; }", "\"$hostname\" in \"server_name\" is not supported by the embedded proxy", 2),
        (
            "limit_req_zone $request_uri\nzone=z:1m rate=1r/s; server { return 404; }",
            "the key \"$request_uri\" is not supported by the embedded proxy", 2
        ),
        (
            "server { location / { proxy_pass http://a; } \nlocation /b { proxy_pass http://a; proxy_read_timeout 1s; } }",
            "the embedded proxy has one setting for all locations, and this one differs in proxy_read_timeout", 2
        ),
        ("server { location / { proxy_pass http://a;\nproxy_read_timeout 0; } }", "the embedded proxy has no time-out of 0", 2),
        (
            "server { location / {\nreturn 100; } }", "the embedded proxy answers with a status of 200…599, or closes with 444", 2
        ),
    ])
    func `what the embedded proxy cannot do is refused by file and line`(text: String, message: String, line: Int) throws {
        let error = #expect(throws: NginxError.self) { try read(text) }
        #expect(error == NginxError(code: .unsupported, message: message, place: NginxPlace(file: "FILE", line: line)))
    }

    @Test func `every directive without effect is in the report, and no other`() throws {
        let site = try read(
            """
            gzip on;
            server {
                server_name a.example;
                access_log off;
                listen 127.0.0.1:80 deferred;
                location / {
                    proxy_pass http://127.0.0.1:1;
                    proxy_buffering on;
                    proxy_http_version 1.1;
                    proxy_set_header Host $host;
                    proxy_set_header X-Real-IP $remote_addr;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    proxy_set_header X-Forwarded-Proto $scheme;
                    proxy_set_header X-Forwarded-Host $http_host;
                    proxy_set_header Upgrade $http_upgrade;
                }
            }
            """)
        #expect(
            site.report.entries.map { "\($0.place.line) \($0.directive)" } == [
                "1 gzip", "3 server_name", "5 listen", "8 proxy_buffering", "9 proxy_http_version", "15 proxy_set_header",
            ])
        #expect(site.report.entries[0].description == "FILE:1: \"gzip\" has no effect here")
        #expect(site.report.entries.allSatisfy { $0.kind == .noEffect })
        #expect(site.proxy.forwarding.defaultHost == "a.example")
    }

    @Test func `each rule of the tables is mapped, reported or refused`() throws {
        // A directive that stands in a location where it may, with as many arguments as it takes, is never passed over.
        for rules in DirectiveTable.rules.values {
            for rule in rules where rule.blocks.contains(.location) && !rule.hasBlock && rule.treatment == .inert {
                guard let value = example(of: rule) else { continue }
                let count =
                    switch rule.arity {
                    case .exactly(let counts): counts.min() ?? 1;
                    case .atLeast(let least): least
                    }
                let words = [rule.name] + Array(repeating: value, count: count)
                let site = try read(location(words.joined(separator: " ") + ";"))
                #expect(site.report.entries.contains { $0.directive == rule.name }, "\(rule.name)")
            }
        }
    }
}

private func example(of rule: DirectiveRule) -> String? {
    switch rule.value {
    case .any: "8"
    case .flag: "on"
    case .number, .size, .offset, .seconds, .milliseconds: "1"
    case .one(let words), .some(let words): words.first
    }
}
