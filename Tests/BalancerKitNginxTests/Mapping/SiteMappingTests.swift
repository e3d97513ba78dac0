import BalancerKit
import BalancerKitProxy
import Logging
import Testing

@testable import BalancerKitNginx

/// What makes a whole site: several servers and addresses, certificates, files, limits, upgrades.
@Suite struct SiteMappingTests {
    private func read(_ text: String) throws(NginxError) -> NginxConfiguration {
        try NginxConfiguration(parsing: text.utf8, file: "FILE", context: .http)
    }

    @Test func `each address is a proxy of its own, and the report says so`() throws {
        let site = try self.read(
            """
            server { listen 80; server_name a.example; return 301 https://$host$request_uri; }
            server {
                listen 443 ssl;
                server_name a.example;
                ssl_certificate /certs/a.pem; ssl_certificate_key certs/a.key; ssl_protocols TLSv1.1 TLSv1.2;
                location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $host; }
            }
            server { listen 443 ssl; server_name b.example *.c.example ~x; ssl_certificate /certs/b.pem; ssl_certificate_key /certs/b.key; return 404; }
            """)
        #expect(site.proxies.map(\.port) == [80, 443])
        #expect(site.proxies[0].tls == nil && site.proxies[0].hosts.isEmpty)
        let tls = try #require(site.proxies[1].tls)
        #expect(
            tls.certificates == [
                .init(chainFile: "/certs/a.pem", keyFile: "./certs/a.key"),
                .init(chainFile: "/certs/b.pem", keyFile: "/certs/b.key", serverNames: ["b.example", "*.c.example"]),
            ])
        #expect(tls.minimumVersion == .tls12 && tls.maximumVersion == .tls12)
        #expect(site.proxies[1].hosts.map(\.names) == [["a.example"], ["b.example", "*.c.example", "~x"]])
        #expect(site.proxies[1].hosts[0].routes.isEmpty)
        #expect(site.report.entries.contains { $0.place.line == 3 && $0.message.contains("a proxy of its own") })
        #expect(site.report.entries.contains { $0.message == "\"ssl_protocols\": versions before TLSv1.2 are not offered" })
    }

    @Test func `a default server that refuses handshakes has no certificate`() throws {
        let site = try self.read(
            """
            server { listen 443 ssl default_server; ssl_reject_handshake on; return 444; }
            server { listen 443 ssl; server_name b.example; ssl_certificate /b.pem; ssl_certificate_key /b.key; return 404; }
            """)
        let tls = try #require(site.proxy.tls)
        #expect(tls.refusesUnknownNames && tls.certificates.map(\.serverNames) == [["b.example"]])
        guard case .close? = site.proxy.routes.first?.action else {
            Issue.record("the default server does not close")
            return
        }
    }

    @Test func `files: root, alias, index, types, try_files`() throws {
        let site = try self.read(
            """
            types { text/html html htm; image/x-own OWN; }
            server {
                root /srv/www;
                location / { proxy_pass http://127.0.0.1:1; }
                location /static/ { alias /srv/static/; index a.html b.html; default_type text/x; etag off; max_ranges 2; if_modified_since before; }
                location /spa { try_files $uri $uri/ /index.html; disable_symlinks on; }
                location /plain { types { } try_files $uri =404; }
            }
            """)
        func files(_ prefix: String) throws -> StaticFiles {
            let route = try #require(site.proxy.routes.first { $0.prefix == prefix })
            guard case .files(let files) = route.action else { throw NginxError(code: .unsupported, message: "no files") }
            return files
        }
        let aliased = try files("/static/")
        #expect(aliased.directory == "/srv/static/" && aliased.mapping == .alias && aliased.indexFiles == ["a.html", "b.html"])
        #expect(aliased.contentTypes == ["html": "text/html", "htm": "text/html", "own": "image/x-own"])
        #expect(aliased.defaultContentType == "text/x" && !aliased.sendsETag && aliased.maximumRanges == 2)
        #expect(aliased.ifModifiedSince == .before && aliased.symbolicLinks == .followed && aliased.fallbackFile == nil)
        let application = try files("/spa")
        #expect(application.directory == "/srv/www" && application.mapping == .root && application.fallbackFile == "/index.html")
        #expect(application.symbolicLinks == .refused && application.defaultContentType == "text/plain")
        let plain = try files("/plain")
        #expect(plain.contentTypes.isEmpty && plain.indexFiles.isEmpty && plain.fallbackFile == nil)
    }

    @Test func `where no location fits, the server's root is asked, or the report tells of 404`() throws {
        let site = try self.read("server { root /srv; location /a { return 404; } }")
        #expect(site.proxy.routes.map(\.prefix) == ["/a", "/"])
        let bare = try self.read("server { location /a { return 404; } }")
        #expect(bare.proxy.routes.map(\.prefix) == ["/a"])
        #expect(bare.report.entries.contains { $0.message.contains("a path that no location takes is answered with 404") })
    }

    @Test func `limits and their zones`() throws {
        let site = try self.read(
            """
            limit_req_zone $binary_remote_addr zone=one:10m rate=30r/m; limit_req_zone $host$http_x_key zone=two:1m rate=5r/s;
            limit_conn_zone $uri zone=three:32k; limit_req_zone $binary_remote_addr zone=unused:1m rate=1r/s;
            server {
                limit_req zone=one burst=5 nodelay; limit_req_status 429;
                location / { proxy_pass http://127.0.0.1:1; }
                location /own { proxy_pass http://127.0.0.1:1; limit_req zone=two burst=9 delay=3; limit_conn three 4; limit_conn_status 429; limit_req_log_level warn; limit_req_dry_run on; }
            }
            """)
        let (inherited, own) = (site.proxy.routes[0].limits, site.proxy.routes[1].limits)
        #expect(inherited.requests == [RequestLimit(zone: "one", burst: 5, delay: .never)] && inherited.requestStatus == 429)
        #expect(own.requests == [RequestLimit(zone: "two", burst: 9, delay: .above(3))])
        #expect(own.connections == [ConnectionLimit(zone: "three", connections: 4)] && own.connectionStatus == 429)
        #expect(own.requestLogLevel == .warning && own.isRequestDryRun)
        #expect(site.proxy.requestZones.map(\.name) == ["one", "two"])
        #expect(site.proxy.requestZones.map(\.rate) == [.perMinute(30), .perSecond(5)])
        #expect(site.proxy.requestZones.map(\.key) == [.clientAddress, LimitKey([.host, .header("x-key")])])
        #expect(site.proxy.connectionZones.map(\.key) == [LimitKey([.path])])
    }

    @Test(arguments: ["$connection_upgrade", "upgrade", "Upgrade"]) func `the idiom of WebSocket passes upgrades`(connection: String) throws
    {
        let site = try self.read(
            """
            map $http_upgrade $connection_upgrade { default upgrade; '' close; }
            server { location / { proxy_pass http://127.0.0.1:1; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \(connection); } }
            """)
        #expect(site.proxy.routes[0].upgrades == .any)
        #expect(!site.report.entries.contains { $0.directive == "map" })
    }

    @Test func `settings that locations do not share are theirs`() throws {
        let site = try self.read(
            """
            server {
                location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $host; client_max_body_size 5; }
                location /b { proxy_pass http://127.0.0.1:1/x; proxy_set_header Host b.example; proxy_set_header X-Own $uri; client_max_body_size 0; }
            }
            """)
        #expect(site.proxy.limits.bodyLength == 5)
        #expect(site.proxy.routes[0].bodyLimit == nil && site.proxy.routes[1].bodyLimit == .unlimited)
        #expect(site.proxy.routes[0].requestFields.map(\.value.description) == ["$host"])
        #expect(site.proxy.routes[1].requestFields.map(\.name) == ["Host", "X-Own"])
        #expect(site.proxy.routes[1].replacementPath == "/x")
    }

    @Test func `masks that are none are refused where names are compared`() throws {
        let error = #expect(throws: NginxError.self) {
            try self.read("server { return 404; }\nserver { server_name *.a.*; return 404; }")
        }
        #expect(error?.description == "invalid server name or wildcard \"*.a.*\" in FILE:2")
    }

    @Test func `locations nested beyond reason are refused, and not followed`() throws {
        let depth = 3000
        let text = "server { " + String(repeating: "location / { root /x; ", count: depth) + String(repeating: "}", count: depth) + " }"
        let error = #expect(throws: NginxError.self) { try self.read(text) }
        #expect(error?.code == .unsupported)
    }
}
