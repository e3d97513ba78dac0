import BalancerKitProxy
import Testing

@testable import BalancerKitNginx

@Suite struct ResponseMappingTests {
    private static func read(_ text: String) throws -> NginxConfiguration {
        try NginxConfiguration(parsing: text.utf8, file: "FILE", context: .http)
    }

    private static func shown(_ settings: ResponseSettings) -> String {
        let fields = settings.fields?.map { "\($0.name)=\($0.value)\($0.isAlways ? "!" : "")" }
        return "\(fields.map { $0.joined(separator: ",") } ?? "-") \(settings.expiry.map { "\($0)" } ?? "-")"
            + (settings.log.map { " \($0)" } ?? "")
    }

    @Test func `what a block says replaces what is said around it`() throws {
        let site = try Self.read(
            """
            add_header X-A a; expires 1h;
            server { listen 1; location / { return 200; } location /b { add_header X-B b always; return 200; location /b/c { expires off; return 200; } } location /n { add_header X-N ""; return 200; } }
            server { listen 1; server_name two; add_header ETag ""; location / { return 200; } }
            server { listen 2; expires max; location / { return 200; } }
            server { listen 3; add_header X-A $host; location / { return 200; } }
            """)
        #expect(
            site.proxies.map { Self.shown($0.responses) } == [
                "X-A=a after(3600.0 seconds)", "X-A=a max", "X-A=$host after(3600.0 seconds)",
            ])
        let first = site.proxies[0]
        #expect(first.routes.map { Self.shown($0.responses) } == ["- -", "X-B=b! -", " -"])
        #expect(Self.shown(first.routes[1].routes[0].responses) == "- off")
        #expect(first.hosts.map { Self.shown($0.responses) } == ["ETag= after(3600.0 seconds)"])
        #expect(site.report.entries.allSatisfy { !["add_header", "expires"].contains($0.directive) })
    }

    @Test func `another server has nothing from the default one`() throws {
        let site = try Self.read(
            """
            server { listen 1; add_header X-A a; expires 1h; location / { return 200; } }
            server { listen 1; server_name two; location / { return 200; } }
            """)
        #expect(site.proxy.hosts.map { Self.shown($0.responses) } == [" off"])
    }

    @Test func `the redirection to a location has what the location has`() throws {
        let site = try Self.read("server { location /a/ { add_header X-A a; proxy_pass http://127.0.0.1:1; } location / { return 404; } }")
        #expect(site.proxy.routes.map { "\($0.prefix) \(Self.shown($0.responses))" } == ["/a/ X-A=a -", "/ - -", "/a X-A=a -"])
    }

    @Test(arguments: [
        ("off", ResponseExpiry.off), ("epoch", .epoch), ("max", .max), ("0", .after(.zero)), ("-1", .after(.seconds(-1))),
        ("+1d", .after(.seconds(86_400))),
        ("\"1h 30m\"", .after(.seconds(5400))), ("1y", .after(.seconds(31_536_000))), ("1M", .after(.seconds(2_592_000))),
        ("modified 2w", .afterModification(.seconds(1_209_600))), ("modified -1m", .afterModification(.seconds(-60))),
        ("@15h30m", .atTimeOfDay(.seconds(55_800))), ("@24h", .atTimeOfDay(.seconds(86_400))), ("1000y", .after(.seconds(31_536_000_000))),
    ])
    func `expires`(text: String, expiry: ResponseExpiry) throws {
        #expect(try Self.read("server { location / { expires \(text); return 200; } }").proxy.routes[0].responses.expiry == expiry)
    }

    @Test func `a time of a variable has no effect, and hides what is said around it`() throws {
        let site = try Self.read("map $uri $time { default 1h; }\nserver { expires 1h; location / {\nexpires $time; return 200; } }")
        #expect(site.proxy.routes[0].responses.expiry == .off)
        #expect(site.report.entries.contains { $0.directive == "expires" && $0.place.line == 3 && $0.kind == .noEffect })
    }

    @Test(arguments: [
        ("add_header X-A \"a\\r\\nX-B: b\";", "\"add_header X-A\" with a control character in its value", NginxError.Code.invalidValue),
        ("add_header X-A \"a\u{7}b\";", "\"add_header X-A\" with a control character in its value", .invalidValue),
        ("add_header X-A \"a\u{0}b\";", "\"add_header X-A\" with a control character in its value", .invalidValue),
        ("add_header \"X-A: b\\r\\nX\" c;", "\"add_header\" with what is no field's name", .invalidValue),
        ("add_header \"\" c;", "\"add_header\" with what is no field's name", .invalidValue),
        (
            "add_header Content-Length 5;",
            "\"add_header Content-Length\" is not supported by the embedded proxy, which frames responses itself",
            .unsupported
        ),
        (
            "add_header transfer-encoding chunked always;",
            "\"add_header transfer-encoding\" is not supported by the embedded proxy, which frames responses itself", .unsupported
        ),
        (
            "add_header X-A $upstream_cache_status;", "the variable \"$upstream_cache_status\" is not supported by the embedded proxy",
            .unsupported
        ),
        ("expires 1001y;", "the embedded proxy takes a time of at most 1000 years in \"expires\"", .unsupported),
        ("expires modified -9223372036854775807;", "the embedded proxy takes a time of at most 1000 years in \"expires\"", .unsupported),
    ])
    func `what cannot be said is refused by file and line, wherever it stands`(text: String, message: String, code: NginxError.Code) throws
    {
        for file in [
            "server { location / { \nTEXT return 200; } }", "server { \nTEXT location / { return 200; } }", "\nTEXT server { return 200; }",
        ] {
            let error = #expect(throws: NginxError.self) { try Self.read(file.replacing("TEXT", with: text)) }
            #expect(error?.code == code)
            #expect(error?.message == message)
            #expect(error?.place == NginxPlace(file: "FILE", line: 2))
        }
    }

    @Test func `a value that is no text is refused`() throws {
        let bytes = Array("server { add_header X-A \"".utf8) + [0xE9] + Array("\"; return 200; }".utf8)
        let error = #expect(throws: NginxError.self) { try NginxConfiguration(parsing: bytes, file: "FILE", context: .http) }
        #expect(error?.code == .unsupported && error?.place?.line == 1)
    }

    @Test(
        arguments: [
            ("access_log off;", AccessLogging.off, nil), ("access_log /a/b.log;", .files(["/a/b.log"]), nil),
            ("access_log /a combined;", .files(["/a"]), nil), ("access_log /a; access_log /b; access_log /a;", .files(["/a", "/b"]), nil),
            ("access_log /a; access_log off;", .off, nil), ("access_log logs/a;", .files(["/etc/own/logs/a"]), nil),
            ("access_log /a main;", .logger, "no other format than \"combined\" is written"),
            ("access_log /b; access_log /a main;", .files(["/b"]), "no other format than \"combined\" is written"),
            ("access_log syslog:server=127.0.0.1;", .logger, "syslog is not spoken to"),
            ("access_log /a/$host.log;", .logger, "a file that variables name"),
            (
                "access_log /a combined buffer=32k flush=1m;", .files(["/a"]),
                "the parameter \"buffer=32k\": lines are written as they come"
            ),
            (
                "access_log /a combined if=$arg_log;", .logger,
                "the parameter \"if=$arg_log\" is not followed, and without it another file would come of it"
            ),
            (
                "access_log /a combined gzip;", .logger,
                "the parameter \"gzip\" is not followed, and without it another file would come of it"
            ),
        ] as [(String, AccessLogging, String?)])
    func `access_log`(text: String, log: AccessLogging, why: String?) throws {
        let file =
            "server {\nTEXT location / { return 200; } location /a { access_log off; return 200; } location /b {\nTEXT return 200; } }"
        let site = try NginxConfiguration(
            parsing: file.replacing("TEXT", with: text).utf8, file: "FILE", context: .http, prefix: "/etc/own")
        #expect(site.proxy.responses.log == log)
        #expect(site.proxy.routes.map(\.responses.log) == [nil, .off, log])
        let entries = site.report.entries.filter { $0.directive == "access_log" }
        let lines = Set(entries.filter { $0.message == "\"access_log\" has no effect here: \(why ?? "")" }.map(\.place.line))
        #expect(why == nil ? entries.isEmpty : lines == [2, 3], "\(entries)")
    }

    @Test func `another server notes its requests where it says, not where the default one does`() throws {
        let site = try Self.read(
            """
            server { listen 1; access_log /a; location / { return 200; } }
            server { listen 1; server_name two; location / { return 200; } }
            server { listen 1; server_name three; access_log off; location / { return 200; } }
            """)
        #expect(site.proxy.hosts.map(\.responses.log) == [.logger, .off])
    }

    @Test func `error_log has no effect, and says so`() throws {
        let site = try Self.read("error_log /a info;\nserver { error_log /b; return 200; }")
        #expect(site.report.entries.filter { $0.directive == "error_log" }.map(\.place.line) == [1, 2])
    }
}
