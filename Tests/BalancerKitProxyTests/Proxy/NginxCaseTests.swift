import BalancerKit
import BalancerKitProxy
import Testing

/// Requests that were sent to nginx 1.22.1 (Debian), with the same bytes to us: the same status, or a different one for a stated reason.
///
/// Left out is what we do not have: static files, redirects, `proxy_pass` with a URI, regular expressions. What the upstream gets is
/// compared in ``RequestForwardingTests``.
@Suite struct NginxCaseTests {
    struct Case: Sendable {
        let name: String
        /// One scalar is one byte.
        let request: String
        let nginx: Int
        let ours: Int
        let reason: String?

        init(_ name: String, _ request: String, nginx: Int, ours: Int? = nil, _ reason: String? = nil) {
            self.name = name
            self.request = request
            self.nginx = nginx
            self.ours = ours ?? nginx
            self.reason = reason
        }

        var bytes: [UInt8] { self.request.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }
    }

    static let cases: [Case] = [
        .init("valid GET", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("lower method", "get /a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("custom method FOO", "FOO /a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("method M-SEARCH", "M-SEARCH /a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("method tchar !", "F!O /a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("CONNECT authority", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400, ours: 405, "405 says what is wrong"),
        .init("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("no Host 1.1", "GET /a HTTP/1.1\r\n\r\n", nginx: 400),
        .init("no Host 1.0", "GET /a HTTP/1.0\r\n\r\n", nginx: 200),
        .init("empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", nginx: 400),
        .init("dup Host same", "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", nginx: 400),
        .init("Host with path", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", nginx: 400),
        .init("Host uppercase+port+dot", "GET /a HTTP/1.1\r\nHost: EXAMPLE.com.:8080\r\n\r\n", nginx: 200),
        .init("Host double dot", "GET /a HTTP/1.1\r\nHost: a..b\r\n\r\n", nginx: 400),
        .init("Host junk port", "GET /a HTTP/1.1\r\nHost: a:zz\r\n\r\n", nginx: 200, ours: 400, "a port is a number"),
        .init("Host tab OWS", "GET /a HTTP/1.1\r\nHost:\ta\r\n\r\n", nginx: 400, ours: 200, "a tab is white space (RFC 9110 §5.6.3)"),
        .init("absolute-form other host", "GET http://b/x?q HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("absolute-form no path", "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("absolute-form userinfo", "GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("absolute-form underscore host", "GET http://a_b/x HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("absolute https scheme", "GET https://b/x HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("HTTP/1.10", "GET /a HTTP/1.10\r\nHost: a\r\n\r\n", nginx: 200, ours: 400, "a minor version is one digit"),
        .init("HTTP/2.0", "GET /a HTTP/2.0\r\nHost: a\r\n\r\n", nginx: 505),
        .init("HTTP/1", "GET /a HTTP/1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("two spaces method", "GET  /a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200, ours: 400, "exactly one space (RFC 9112 §3)"),
        .init("two spaces version", "GET /a  HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200, ours: 400, "exactly one space"),
        .init("trailing space line", "GET /a HTTP/1.1 \r\nHost: a\r\n\r\n", nginx: 200, ours: 400, "exactly one space"),
        .init("space in URI", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("ctl in URI", "GET /a\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("utf8 raw in URI", "GET /\u{c3}\u{a9} HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("backslash URI", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("URI no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("leading CRLF", "\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("bare CR as EOL", "GET /a HTTP/1.1\rHost: a\r\r", nginx: 400),
        .init("bare CR in value", "GET /a HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", nginx: 400),
        .init("CRCRLF", "GET /a HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", nginx: 200, ours: 400, "a bare CR is no line end"),
        .init(
            "ctl 0x01 in value", "GET /a HTTP/1.1\r\nHost: a\r\nX: a\u{1}b\r\n\r\n", nginx: 200, ours: 400, "control characters are refused"
        ),
        .init("obs-text value", "GET /a HTTP/1.1\r\nHost: a\r\nX: \u{ff}\u{a0}\r\n\r\n", nginx: 200),
        .init("obs-fold", "GET /a HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", nginx: 400),
        .init("leading space first header", "GET /a HTTP/1.1\r\n Host: a\r\n\r\n", nginx: 400),
        .init("empty header name", "GET /a HTTP/1.1\r\nHost: a\r\n: v\r\n\r\n", nginx: 400),
        .init("header no colon", "GET /a HTTP/1.1\r\nHost: a\r\nFoo\r\n\r\n", nginx: 200, ours: 400, "a header line has a colon"),
        .init("header underscore", "GET /a HTTP/1.1\r\nHost: a\r\nX_Y: v\r\n\r\n", nginx: 200),
        .init("header dot", "GET /a HTTP/1.1\r\nHost: a\r\nX.Y: v\r\n\r\n", nginx: 200),
        .init(
            "header obs-text name", "GET /a HTTP/1.1\r\nHost: a\r\nX\u{e9}: v\r\n\r\n", nginx: 200, ours: 400,
            "a name that is no token is refused, not dropped"),
        .init("CL ok + body", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", nginx: 200),
        .init("CL +3", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", nginx: 400),
        .init("CL 0x3", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", nginx: 400),
        .init("CL 003", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc", nginx: 200),
        .init("CL empty", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nabc", nginx: 400),
        .init("CL 3, 3", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", nginx: 400),
        .init("CL dup differ", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", nginx: 400),
        .init("CL overflow", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc", nginx: 400),
        .init("CL 2^63-ish", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\nabc", nginx: 413),
        .init("CL+TE", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", nginx: 400),
        .init("TE+CL order", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", nginx: 400),
        .init("TE chunked ok", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", nginx: 200),
        .init(
            "TE dup chunked", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            nginx: 400),
        .init(
            "TE chunked,identity dup",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", nginx: 400),
        .init("TE gzip, chunked", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", nginx: 501),
        .init("TE xchunked", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", nginx: 501),
        .init("TE tab chunked", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", nginx: 501),
        .init("TE space colon", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", nginx: 400),
        .init("TE empty", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \r\n\r\n", nginx: 501),
        .init(
            "Transfer_Encoding underscore + CL",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", nginx: 200),
        .init("TE on 1.0", "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", nginx: 400),
        .init(
            "chunk ext with CR", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n", nginx: 400),
        .init("chunk size space", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", nginx: 200),
        .init(
            "chunk size lead space", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n", nginx: 400),
        .init("chunk size +3", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", nginx: 400),
        .init("chunk size empty", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n", nginx: 400),
        .init(
            "chunk bare LF", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", nginx: 200, ours: 400,
            "a bare LF is no line end, as in nginx 1.29.4"),
        .init(
            "chunk overflow", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
            nginx: 400),
        .init(
            "chunk leading zeros", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0000000003\r\nabc\r\n0\r\n\r\n",
            nginx: 200),
        .init(
            "chunk trailer", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", nginx: 200),
        .init("POST no length", "POST /a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("pipelined 2", "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("pipelined valid+invalid", "GET /a HTTP/1.1\r\nHost: a\r\n\r\nBAD\r\n\r\n", nginx: 200),
        .init("Expect other", "POST /a HTTP/1.1\r\nHost: a\r\nExpect: foo\r\nContent-Length: 3\r\n\r\nabc", nginx: 200),
        .init(
            "Connection lists header", "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close, X-Real-IP, X-Foo\r\nX-Foo: 1\r\n\r\n", nginx: 200),
        .init(
            "hop-by-hop set",
            "GET /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nProxy-Connection: close\r\nProxy-Authorization: z\r\n\r\n",
            nginx: 200),
        .init("dup custom header", "GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n", nginx: 200),
        .init("dup Authorization", "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", nginx: 400),
        .init("dup Range", "GET /a HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n", nginx: 200),
        .init("dotdot above root", "GET /../a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("%2e%2e above root", "GET /%2e%2e/a HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("%2f decoded match", "GET /x%2f..%2fadmin HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 403),
        .init("%zz", "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("% truncated", "GET /a% HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init("double slash proxied", "GET //a//b HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("admin %61dmin", "GET /%61dmin HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 403),
        .init("admin case", "GET /ADMIN HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("/admin;x", "GET /admin;x HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 403),
        .init("proxy_pass no URI enc", "GET /nouri/a%2fb%3f%23//x/../y HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 200),
        .init("static traversal enc", "GET /static/..%2f..%2fnginx.conf HTTP/1.1\r\nHost: a\r\n\r\n", nginx: 400),
        .init(
            "header 9k", "GET /a HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 9000) + "\r\n\r\n", nginx: 400, ours: 200,
            "the limit is for all lines together"),
        .init(
            "headers 40k total",
            "GET /a HTTP/1.1\r\nHost: a\r\n" + (0..<5).map { "X\($0): " + String(repeating: "a", count: 8000) + "\r\n" }.joined() + "\r\n",
            nginx: 400, ours: 431, "RFC 6585"),
        .init(
            "2000 small headers", "GET /a HTTP/1.1\r\nHost: a\r\n" + (0..<2000).map { "X\($0): y\r\n" }.joined() + "\r\n", nginx: 400,
            ours: 431, "RFC 6585"),
        .init(
            "TLS hello to http", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            nginx: 400),
        .init("h2 preface to http1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", nginx: 400),
        .init("keepalive 1.0", "GET /exact HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", nginx: 200),
    ]

    /// nginx's default limit of a body, and the location that its configuration refused.
    static func configuration(for upstream: ScriptedUpstream) -> ProxyConfiguration {
        var value = BalancerKitProxyTests.configuration(upstream.port)
        value.limits.bodyLength = 1 << 20
        value.routes.append(ProxyRoute(prefix: "/admin", action: .refuse(status: 403)))
        return value
    }

    @Test func `a measured request gets the status that nginx gives it, or a stricter one for a reason`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(Self.configuration(for: upstream)) { (proxy: RunningProxy) async throws in
            for known in Self.cases {
                #expect((known.ours == known.nginx) == (known.reason == nil), "\(known.name)")
                let count = upstream.requests.count
                let connection = try await proxy.connect()
                connection.sendLater(known.bytes)
                let response = try await connection.response()
                #expect(response.status == known.ours, "\(known.name)")
                #expect((upstream.requests.count > count) == (response.status == 200), "\(known.name)")
                // After a refusal nobody can know where the next request would begin; a policy's 403 leaves no doubt.
                let mustClose = response.status != 200 && response.status != 403
                if mustClose {
                    #expect(response.field("Connection") == "close", "\(known.name)")
                    #expect(try await connection.untilEnd() == .closed, "\(known.name)")
                }
                await connection.close()
            }
        }
        await upstream.stop()
    }

    @Test func `the next request on a fresh connection is served after each of them`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(Self.configuration(for: upstream)) { (proxy: RunningProxy) async throws in
            for known in Self.cases where known.ours >= 400 {
                let connection = try await proxy.connect()
                connection.sendLater(known.bytes)
                _ = try await connection.response()
                await connection.close()
                #expect(try await proxy.ask(get()).status == 200, "\(known.name)")
            }
        }
        await upstream.stop()
    }
}
