import BalancerKit
import ScaleTesting
import Testing

@testable import BalancerKitProxy

@Suite struct ResponseDeliveryTests {
    @Test func `hop-by-hop fields go, Server is replaced, everything else stays in order`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in
            [
                .send(
                    ok(
                        "hello", "Server: secret/1", "Set-Cookie: a=1", "Keep-Alive: 5", "Upgrade: h2c", "Connection: X-Hop, Set-Cookie",
                        "X-Hop: 1", "Alt-Svc: x", "Proxy-Authenticate: x", "Set-Cookie: b=2", "X_Y: 1", "Date: then"))
            ]
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let response = try await proxy.ask(get())
            let expected =
                "HTTP/1.1 200 OK\r\nServer: ScaleKit\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX_Y: 1\r\nDate: then\r\nContent-Length: 5\r\n"
                + "Connection: keep-alive\r\n\r\n"
            #expect(response.head == expected)
            #expect(response.body == "hello")
        }
        await upstream.stop()
    }

    @Test func `a Date is added where the upstream sends none`() async throws {
        let time = ManualTime()
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port), time: time.source) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get()).field("Date") == "Thu, 01 Jan 2026 00:00:00 GMT")
        }
        await upstream.stop()
    }

    @Test func `a chunked response is framed anew for 1.1 and ends with the connection for 1.0`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in
            [.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n002\r\nde\r\n0\r\nX-T: 1\r\n\r\n")]
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let modern = try await proxy.ask(get())
            #expect(modern.field("Transfer-Encoding") == "chunked")
            #expect(modern.body == "5\r\nabcde\r\n0\r\n\r\n")
            let old = try await proxy.ask(get("Connection: keep-alive", version: "HTTP/1.0"))
            #expect(old.field("Transfer-Encoding") == nil)
            #expect(old.field("Connection") == "close")
            #expect(old.body == "abcde")
        }
        await upstream.stop()
    }

    @Test func `a response until the close becomes chunked, and the connection stays`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [.send("HTTP/1.1 200 OK\r\n\r\nabc"), .close] }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let response = try await proxy.ask(get())
            #expect(response.body == "3\r\nabc\r\n0\r\n\r\n")
            #expect(response.field("Connection") == "keep-alive")
        }
        await upstream.stop()
    }

    @Test func `HEAD, 204 and 304 have no body, whatever their fields say`() async throws {
        let upstream = try await ScriptedUpstream.start { request in
            switch request.line.split(separator: " ")[1] {
            case "/204": [.send("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")]
            case "/304": [.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")]
            default: [.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")]
            }
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get(method: "HEAD"))
            #expect(try await connection.response(toHead: true).field("Content-Length") == "5")
            try await connection.send(get(target: "/204"))
            #expect(try await connection.response().field("Content-Length") == nil)
            try await connection.send(get(target: "/304"))
            #expect(try await connection.response().field("Content-Length") == "5")
            #expect(upstream.connectionCount == 1)
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `an interim response is never taken for the final one`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in
            [.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), .send(ok("hello"))]
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let response = try await proxy.ask(get())
            #expect(response.status == 200)
            #expect(response.body == "hello")
        }
        await upstream.stop()
    }

    static let invalid: [String] = [
        "garbage\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nab", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\u{0}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 40_000) + "\r\n\r\n",
        String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 20) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ]

    @Test func `an invalid response is a 502 and its connection is not used again`() async throws {
        for text in Self.invalid {
            let upstream = try await ScriptedUpstream.start { request in request.connection == 0 ? [.send(text)] : [.send(ok("hello"))] }
            try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
                #expect(try await proxy.ask(get()).status == 502, "\(text.prefix(80).debugDescription)")
                #expect(try await proxy.ask(get()).body == "hello")
                #expect(upstream.connectionCount == 2)
            }
            await upstream.stop()
        }
    }

    static let broken: [(text: String, version: String)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n", "HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "HTTP/1.0"),
    ]

    @Test func `a response that breaks off never looks whole`() async throws {
        for (text, version) in Self.broken {
            let upstream = try await ScriptedUpstream.start { _ in [.send(text), .close] }
            try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
                let connection = try await proxy.connect()
                try await connection.send(get(version: version))
                let end = try await connection.untilEnd()
                #expect(!connection.text.contains("0\r\n\r\n"), "\(text.debugDescription)")
                // Where the end of the connection would be the end of the body, it must be an error.
                if version == "HTTP/1.0" { #expect(end == .reset) }
            }
            await upstream.stop()
        }
    }

    @Test func `bytes behind the end are dropped with their connection`() async throws {
        let upstream = try await ScriptedUpstream.start { request in
            [.send(request.connection == 0 ? ok("hello") + "HTTP/1.1 200 OK\r\n" : ok("again"))]
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            #expect(try await connection.response().body == "hello")
            try await connection.send(get())
            #expect(try await connection.response().body == "again")
            #expect(upstream.connectionCount == 2)
            await connection.close()
        }
        await upstream.stop()
    }
}

@Suite struct ClientConnectionTests {
    @Test func `requests sent ahead are answered in order`() async throws {
        let upstream = try await ScriptedUpstream.start { request in [.send(ok(request.line))] }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send((0..<20).map { get(target: "/\($0)") }.joined())
            for index in 0..<20 { #expect(try await connection.response().body == "GET /\(index) HTTP/1.1") }
            #expect(connection.end == .open)
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a valid request is answered before the invalid one behind it`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get() + "BAD\r\n\r\n")
            #expect(try await connection.response().status == 200)
            #expect(try await connection.response().status == 400)
            #expect(try await connection.untilEnd() == .closed)
        }
        await upstream.stop()
    }

    @Test func `a request in every cut gets its answer`() async throws {
        let upstream = try await ScriptedUpstream.start { request in [.send(ok(request.body))] }
        let request = Array("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8)
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            for cut in stride(from: 1, to: request.count, by: 3) {
                try await connection.send(String(decoding: request[..<cut], as: UTF8.self))
                try await connection.send(String(decoding: request[cut...], as: UTF8.self))
                // Data is framed as it came, so only what it says is the same.
                let body = try await connection.response().body
                #expect(StreamingTests.unchunk(body) == "abc")
            }
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a connection is kept, or closed, as the client asks`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (request, keeps) in [
                (get(), true), (get("Connection: close"), false), (get(version: "HTTP/1.0"), false),
                (get("Connection: keep-alive", version: "HTTP/1.0"), true),
            ] {
                let connection = try await proxy.connect()
                try await connection.send(request)
                #expect(try await connection.response().field("Connection") == (keeps ? "keep-alive" : "close"))
                if keeps {
                    try await connection.send(get())
                    #expect(try await connection.response().status == 200)
                    await connection.close()
                } else {
                    #expect(try await connection.untilEnd() == .closed)
                }
            }
        }
        await upstream.stop()
    }

    @Test func `a connection ends after its last allowed request`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.clientKeepAlive.requests = 2
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get() + get())
            #expect(try await connection.response().field("Connection") == "keep-alive")
            #expect(try await connection.response().field("Connection") == "close")
            #expect(try await connection.untilEnd() == .closed)
        }
        await upstream.stop()
    }

    @Test func `a client that waits for 100 is invited by the proxy, and Expect goes no further`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            #expect(try await connection.response().status == 100)
            try await connection.send("abc")
            #expect(try await connection.response().status == 200)
            #expect(upstream.requests.last?.field("Expect") == nil)
            #expect(upstream.requests.last?.body == "abc")
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `a body over the limit is 413 without waiting for the rest, and not invited`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.limits.bodyLength = 10
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            for request in [
                "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n",
                "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n",
            ] {
                let connection = try await proxy.connect()
                try await connection.send(request)
                #expect(try await connection.response().status == 413)
                #expect(try await connection.untilEnd() == .closed)
            }
            #expect(try await proxy.ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789").status == 200)
        }
        await upstream.stop()
    }

    @Test func `a client that leaves takes its request to the upstream with it`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in [] }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            try await eventually("the upstream is asked") { upstream.requests.count == 1 }
            await connection.close()
            try await eventually("the upstream's connection ends") { upstream.openConnectionCount == 0 }
        }
        await upstream.stop()
    }

    @Test func `an answer that comes before the request's end is delivered, and ends the connection`() async throws {
        let upstream = try await ScriptedUpstream.start(answersHeads: true) { _ in
            [.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")]
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
            let response = try await connection.response()
            #expect(response.status == 413)
            #expect(response.field("Connection") == "close")
            #expect(try await connection.untilEnd() == .closed)
        }
        await upstream.stop()
    }
}
