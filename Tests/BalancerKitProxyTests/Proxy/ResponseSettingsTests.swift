import Testing

@testable import BalancerKitProxy

/// Whose fields a response gets, and in whose file it is noted, over several requests of one connection.
@Suite struct ResponseSettingsTests {
    private static func settings(_ field: String, _ file: String) throws -> ResponseSettings {
        var settings = ResponseSettings()
        settings.fields = [ResponseField(name: "X-Whose", value: try RequestTemplate(field), isAlways: true)]
        settings.log = .files([file])
        return settings
    }

    private static func answer(_ prefix: String) throws -> ProxyRoute {
        ProxyRoute(prefix: prefix, action: .answer(FixedAnswer(status: 200, text: try RequestTemplate("x"))))
    }

    @Test func `what one request's route says is nothing to the next one`() async throws {
        try await AccessLogFileTests.withDirectory { directory in
            let (usual, own) = ("\(directory)/usual.log", "\(directory)/own.log")
            var configuration = configuration(1)
            configuration.responses = try Self.settings("usual", usual)
            var first = try Self.answer("/first")
            first.responses = try Self.settings("first", own)
            var bare = try Self.answer("/bare")
            bare.responses.fields = []
            bare.responses.log = .off
            configuration.routes = [first, bare]
            try await withProxy(configuration) { (proxy: RunningProxy) async throws in
                let connection = try await proxy.connect()
                for (target, field) in [("/first", "first"), ("/bare", nil), ("/first", "first")] as [(String, String?)] {
                    try await connection.send(get(target: target))
                    #expect(try await connection.response().field("X-Whose") == field, "\(target)")
                }
                try await connection.send("GARBAGE\r\n\r\n")
                let refused = try await connection.response()
                #expect(refused.status == 400 && refused.field("X-Whose") == "usual")
                await connection.close()
            }
            #expect(AccessLogFileTests.lines(own).count == 2)
            #expect(AccessLogFileTests.lines(usual) == [#"127.0.0.1 - - [] "GARBAGE" 400 16 "-" "-""#])
        }
    }

    @Test func `a body that breaks the rules is noted once, where its request is`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await AccessLogFileTests.withDirectory { directory in
            let (usual, own) = ("\(directory)/usual.log", "\(directory)/own.log")
            var configuration = configuration(upstream.port)
            configuration.responses = try Self.settings("usual", usual)
            configuration.routes[0].responses = try Self.settings("own", own)
            try await withProxy(configuration) { (proxy: RunningProxy) async throws in
                let response = try await proxy.ask("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n")
                #expect(response.status == 400 && response.field("X-Whose") == "own")
            }
            #expect(AccessLogFileTests.lines(own).count == 1)
            #expect(AccessLogFileTests.lines(usual) == [])
        }
        await upstream.stop()
    }

    @Test func `where no route of a host takes a request, what the host says holds`() async throws {
        try await AccessLogFileTests.withDirectory { directory in
            let (usual, own) = ("\(directory)/usual.log", "\(directory)/own.log")
            var configuration = configuration(1)
            configuration.responses = try Self.settings("usual", usual)
            configuration.routes = [try Self.answer("/here")]
            var host = ProxyHost(names: ["b"], routes: [try Self.answer("/there")])
            host.responses = try Self.settings("host", own)
            configuration.hosts = [host]
            try await withProxy(configuration) { (proxy: RunningProxy) async throws in
                for (name, whose) in [("a", "usual"), ("b", "host")] {
                    let response = try await proxy.ask(get(target: "/nowhere", host: name))
                    #expect(response.status == 404 && response.field("X-Whose") == whose, "\(name)")
                }
            }
            #expect(AccessLogFileTests.lines(own).count == 1)
            #expect(AccessLogFileTests.lines(usual).count == 1)
        }
    }
}
