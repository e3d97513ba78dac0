import BalancerKit
import ScaleTesting
import Testing

@testable import BalancerKitProxy

/// What an upstream gets for what a client sends. Cases marked with a status are refused and never reach it.
///
/// The inputs and nginx's answers are those of nginx 1.22.1 with `proxy_set_header Host $host`, `X-Real-IP`, `X-Forwarded-For` and keep-alive to the upstream.
@Suite struct RequestForwardingTests {
    static let set = "X-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"

    static func seen(
        _ line: String = "GET /a HTTP/1.1", host: String = "a", original: String? = nil, framing: String = "", rest: String = ""
    ) -> String {
        let forwardedHost = (original ?? host).isEmpty ? "" : "X-Forwarded-Host: \(original ?? host)\r\n"
        return "\(line)\r\nHost: \(host)\r\n\(Self.set)\(forwardedHost)\(framing)\(rest)\r\n"
    }

    static let forwarded: [(name: String, request: String, seen: String, body: String)] = [
        ("valid GET", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", seen(), ""),
        ("custom method FOO", "FOO /a HTTP/1.1\r\nHost: a\r\n\r\n", seen("FOO /a HTTP/1.1"), ""),
        ("method M-SEARCH", "M-SEARCH /a HTTP/1.1\r\nHost: a\r\n\r\n", seen("M-SEARCH /a HTTP/1.1"), ""),
        (
            "Host uppercase+port+dot", "GET /a HTTP/1.1\r\nHost: EXAMPLE.com.:8080\r\n\r\n",
            seen(host: "example.com", original: "EXAMPLE.com.:8080"), ""
        ),
        ("Host tab OWS", "GET /a HTTP/1.1\r\nHost:\ta\r\n\r\n", seen(), ""),
        ("absolute-form other host", "GET http://b/x?q HTTP/1.1\r\nHost: a\r\n\r\n", seen("GET /x?q HTTP/1.1", host: "b"), ""),
        ("absolute-form no path", "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", seen("GET / HTTP/1.1", host: "b"), ""),
        ("absolute-form only query", "GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", seen("GET /?q HTTP/1.1", host: "b"), ""),
        ("absolute https scheme", "GET https://b/x HTTP/1.1\r\nHost: a\r\n\r\n", seen("GET /x HTTP/1.1", host: "b"), ""),
        ("utf8 raw in URI", "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", seen("GET /\u{e9} HTTP/1.1"), ""),
        ("backslash URI", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", seen("GET /a\\b HTTP/1.1"), ""),
        ("leading CRLF", "\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", seen(), ""),
        ("obs-text value", "GET /a HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n", seen(rest: "X: \u{e9}\r\n"), ""),
        ("header underscore", "GET /a HTTP/1.1\r\nHost: a\r\nX_Y: v\r\n\r\n", seen(), ""),
        ("header dot", "GET /a HTTP/1.1\r\nHost: a\r\nX.Y: v\r\n\r\n", seen(rest: "X.Y: v\r\n"), ""),
        (
            "odd white space is made plain", "GET /a HTTP/1.1\r\nHost: a\r\nX:v\r\nY: \t w \t\r\nZ: z\r\n\r\n",
            seen(rest: "X: v\r\nY: w\r\nZ: z\r\n"), ""
        ),
        (
            "CL ok + body", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            seen("POST /a HTTP/1.1", framing: "Content-Length: 3\r\n"), "abc"
        ),
        (
            "CL 003", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc",
            seen("POST /a HTTP/1.1", framing: "Content-Length: 3\r\n"), "abc"
        ),
        (
            "CL 0", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", seen("POST /a HTTP/1.1", framing: "Content-Length: 0\r\n"),
            ""
        ),
        ("GET with body", "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", seen(framing: "Content-Length: 3\r\n"), "abc"),
        (
            "TE chunked, unbuffered", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            seen("POST /a HTTP/1.1", framing: "Transfer-Encoding: chunked\r\n"), "3\r\nabc\r\n0\r\n\r\n"
        ),
        (
            "chunks are framed anew, extensions and trailers dropped",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0003;x=y \r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
            seen("POST /a HTTP/1.1", framing: "Transfer-Encoding: chunked\r\n"), "5\r\nabcde\r\n0\r\n\r\n"
        ),
        (
            "Transfer_Encoding underscore + CL",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
            seen("POST /a HTTP/1.1", framing: "Content-Length: 3\r\n"), "abc"
        ),
        ("POST no length", "POST /a HTTP/1.1\r\nHost: a\r\n\r\n", seen("POST /a HTTP/1.1"), ""),
        (
            "Expect other", "POST /a HTTP/1.1\r\nHost: a\r\nExpect: foo\r\nContent-Length: 3\r\n\r\nabc",
            seen("POST /a HTTP/1.1", framing: "Content-Length: 3\r\n"), "abc"
        ),
        (
            "Connection lists headers: ours and Authorization stay",
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: X-Real-IP, X-Forwarded-For, Host, Authorization, Cookie, X-Foo\r\nX-Foo: 1\r\n"
                + "Authorization: z\r\nCookie: c\r\n\r\n",
            seen(rest: "Authorization: z\r\nCookie: c\r\n"), ""
        ),
        (
            "hop-by-hop set",
            "GET /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
                + "Proxy-Connection: close\r\nProxy-Authorization: z\r\nConnection: upgrade\r\nX: 1\r\n\r\n",
            seen(rest: "X: 1\r\n"), ""
        ),
        ("dup custom header", "GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nX: 3\r\n\r\n", seen(rest: "X: 1\r\nY: 2\r\nX: 3\r\n"), ""),
        (
            "dup Range", "GET /a HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n",
            seen(rest: "Range: bytes=0-1\r\nRange: bytes=2-3\r\n"), ""
        ),
        (
            "a client's own claims are replaced",
            "GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
                + "X-Forwarded-Port: 1\r\nForwarded: for=6.6.6.6\r\n\r\n",
            seen(), ""
        ),
        ("proxy_pass no URI enc", "GET /a%2fb%3f%23//x/../y HTTP/1.1\r\nHost: a\r\n\r\n", seen("GET /a%2fb%3f%23//x/../y HTTP/1.1"), ""),
        ("double slash proxied", "GET //a//b HTTP/1.1\r\nHost: a\r\n\r\n", seen("GET //a//b HTTP/1.1"), ""),
        ("HTTP/1.0 with Host", "GET /a HTTP/1.0\r\nHost: a\r\n\r\n", seen(), ""),
        ("no Host 1.0", "GET /a HTTP/1.0\r\n\r\n", seen(host: "localhost", original: ""), ""),
    ]

    @Test func `an upstream gets exactly what nginx would send, made strict`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (name, request, seen, body) in Self.forwarded {
                let count = upstream.requests.count
                let response = try await proxy.ask(request)
                #expect(response.status == 200, "\(name)")
                #expect(response.body == "hello", "\(name)")
                #expect(upstream.requests.count == count + 1, "\(name)")
                #expect(upstream.requests.last?.head == seen, "\(name)")
                #expect(upstream.requests.last?.body == body, "\(name)")
            }
        }
        await upstream.stop()
    }

    static let refused: [(request: String, status: Int)] = [
        ("get /a HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("F!O /a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405), ("TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET /a HTTP/1.1\r\n\r\n", 400), ("GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET /a HTTP/2.0\r\nHost: a\r\n\r\n", 505), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a HTTP/1.1\rHost: a\r\r", 400), ("GET /a HTTP/1.1\nHost: a\n\n", 400), ("\u{16}\u{3}\u{1}\u{2}\u{0}", 400),
        ("GET /a HTTP/1.1\r\nHost: a\r\nFoo\r\n\r\n", 400), ("GET /a HTTP/1.1\r\nHost: a\r\nX(: 1\r\n\r\n", 400),
        ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET /a HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 40_000) + "\r\n\r\n", 431),
        ("GET /a HTTP/1.1\r\nHost: a\r\n" + (0..<2000).map { "X\($0): y\r\n" }.joined() + "\r\n", 431),
        ("GET /../a HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: secret\r\nAuthorization: b\r\n\r\n", 400),
    ]

    @Test func `a refusal is answered and closes, says nothing of the request in the log, and the next connection is served`() async throws
    {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (request, status) in Self.refused {
                let connection = try await proxy.connect()
                let logged = proxy.log.count
                try await connection.send(request)
                let response = try await connection.response()
                #expect(response.status == status, "\(request.prefix(80).debugDescription)")
                #expect(response.field("Connection") == "close")
                #expect(response.body.utf8.count < 100)
                if status == 405 { #expect(response.field("Allow")?.contains("GET") == true) }
                #expect(try await connection.untilEnd() == .closed)
                await connection.close()
                let line = try await proxy.log.waitForCount(logged + 1)[logged]
                #expect(line.hasPrefix("info request refused"))
                #expect(!line.contains("secret") && !line.contains("/a"))
                #expect(try await proxy.ask(get()).status == 200)
            }
            #expect(upstream.requests.count == Self.refused.count)
        }
        await upstream.stop()
    }

    static let refusedBodies: [(request: String, status: Int)] = [
        ("3;a\rb\r\nabc\r\n0\r\n\r\n", 400), (" 3\r\nabc\r\n0\r\n\r\n", 400), ("+3\r\nabc\r\n0\r\n\r\n", 400), ("\r\nabc\r\n", 400),
        ("3\nabc\n0\n\n", 400), ("fffffffffffffffff\r\nabc\r\n", 400), ("3\r\nabcX\r\n", 400), ("0\r\nHost: b\r\n\r\n", 400),
        ("0\r\nX_Y Z: 1\r\n\r\n", 400), ("0;" + String(repeating: "a", count: 40_000) + "\r\n\r\n", 431),
        ("0\r\nX: " + String(repeating: "a", count: 40_000) + "\r\n\r\n", 431),
    ]

    @Test func `a bad chunk is answered and closes, whether the head came with it or before`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (body, status) in Self.refusedBodies {
                for isApart in [false, true] {
                    let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    let connection = try await proxy.connect()
                    if isApart {
                        let count = upstream.connectionCount
                        try await connection.send(head)
                        // The upstream has the head; the response is still open.
                        try await eventually("the upstream is asked") { upstream.connectionCount > count }
                        try await connection.send(body)
                    } else {
                        try await connection.send(head + body)
                    }
                    #expect(try await connection.response().status == status, "\(body.prefix(60).debugDescription)")
                    #expect(try await connection.untilEnd() == .closed)
                    await connection.close()
                }
            }
            #expect(upstream.requests.isEmpty)
            #expect(try await proxy.ask(get()).status == 200)
        }
        await upstream.stop()
    }
}

@Suite struct ForwardedAddressTests {
    @Test func `what a trusted proxy says of the client is extended and believed`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.forwarding.trustedProxies = [try CIDRBlock("127.0.0.0/8"), try CIDRBlock("10.0.0.0/8")]
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            _ = try await proxy.ask(
                get(
                    "X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2, 10.0.0.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop",
                    "X-Forwarded-Port: 443", "X-Real-IP: 6.6.6.6"))
            let request = try #require(upstream.requests.last)
            #expect(request.fields("X-Forwarded-For") == ["1.1.1.1, 2.2.2.2, 10.0.0.9, 127.0.0.1"])
            #expect(request.fields("X-Real-IP") == ["2.2.2.2"])
            #expect(request.fields("X-Forwarded-Proto") == ["https"])
            #expect(request.fields("X-Forwarded-Host") == ["shop"])
            #expect(request.fields("X-Forwarded-Port") == ["443"])
            _ = try await proxy.ask(get("X-Forwarded-For: junk"))
            #expect(upstream.requests.last?.fields("X-Real-IP") == ["127.0.0.1"])
            _ = try await proxy.ask(get())
            #expect(upstream.requests.last?.fields("X-Forwarded-For") == ["127.0.0.1"])
            #expect(upstream.requests.last?.fields("X-Forwarded-Proto") == ["http"])
        }
        await upstream.stop()
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("10.0.0.128/25", "10.0.0.129", true), ("10.0.0.128/25", "10.0.0.127", false), ("0.0.0.0/0", "1.2.3.4", true),
        ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false), ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("::/0", "1.2.3.4", false),
    ]) func `a block holds its addresses and no others`(block: String, address: String, isInside: Bool) throws {
        let address = try #require(IPAddress(address))
        #expect(try CIDRBlock(block).contains(address) == isInside)
    }

    @Test(arguments: ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0/8", "fd00::/129", "a/8", "10.0.0.0/8/8", "10.0.0.0/+8"])
    func `what is no block is refused`(text: String) {
        #expect(throws: ProxyError.self) { try CIDRBlock(text) }
    }

    @Test func `Host can be passed as sent or fixed, and Via entered`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var original = configuration(upstream.port)
        original.forwarding.hostHeader = .original
        original.forwarding.via = "edge"
        try await withProxy(original) { (proxy: RunningProxy) async throws in
            let response = try await proxy.ask(get("Via: 1.0 before", host: "EXAMPLE.com:8080"))
            #expect(upstream.requests.last?.field("Host") == "EXAMPLE.com:8080")
            #expect(upstream.requests.last?.fields("Via") == ["1.1 edge", "1.0 before"])
            #expect(response.field("Via") == "1.1 edge")
        }
        var fixed = configuration(upstream.port)
        fixed.forwarding.hostHeader = .fixed("inside")
        try await withProxy(fixed) { (proxy: RunningProxy) async throws in
            _ = try await proxy.ask(get())
            #expect(upstream.requests.last?.field("Host") == "inside")
        }
        await upstream.stop()
    }
}
