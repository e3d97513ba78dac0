import BalancerKitProxy
import Foundation
import Logging
import ScaleTesting
import ServiceLifecycle
import Testing

@testable import ProfileService

/// What the proxy takes and refuses before an instance sees it.
@Suite struct ProxyRules {
    /// The status of one request, sent as it stands.
    private static func status(_ service: ServiceUnderTest, _ request: [UInt8]) async throws -> Int {
        try await HTTPConversation.with(port: service.proxyPort) { speaker in
            try await speaker.send(request)
            return try await speaker.answer().status
        }
    }

    private static func status(_ service: ServiceUnderTest, _ request: String) async throws -> Int {
        try await Self.status(service, Array(request.utf8))
    }

    /// A sign-up as one chunk, with what follows the chunk's size and what follows the last chunk.
    private static func signUp(extension: String = "", trailers: String = "") -> String {
        let body = #"{"email":"chunked@example.com","password":"long enough","name":"Chunked"}"#
        return "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            + String(body.utf8.count, radix: 16) + `extension` + "\r\n\(body)\r\n0\r\n\(trailers)\r\n"
    }

    @Test func `trailer lines obey the header rules`() async throws {
        try await ServiceUnderTest.with { service async throws in
            for bad in ["no colon\r\n", "bad name: 1\r\n", ": 1\r\n", "X-Control: \u{1}\r\n", " folded\r\n", "Content-Length: 5\r\n"] {
                #expect(try await Self.status(service, Self.signUp(trailers: bad)) == 400, "\(bad)")
            }
            #expect(try await service.list().profiles.count == 3)
            #expect(try await Self.status(service, Self.signUp(trailers: "X-Checksum: 1\r\nX-More: 2\r\n")) == 201)
        }
    }

    @Test func `trailers and chunk extensions are limited like headers`() async throws {
        try await ServiceUnderTest.with { service async throws in
            func lines(_ count: Int) -> String {
                (0..<count).map { "X-Pad-\($0): \(String(repeating: "a", count: 1010))\r\n" }.joined()
            }
            #expect([400, 431].contains(try await Self.status(service, Self.signUp(trailers: lines(33)))))
            let extensions = String(repeating: ";a=\(String(repeating: "b", count: 1021))", count: 33)
            #expect([400, 431].contains(try await Self.status(service, Self.signUp(extension: extensions))))
            #expect(try await service.list().profiles.count == 3)
            #expect(try await Self.status(service, Self.signUp(extension: ";name=value", trailers: lines(30))) == 201)
        }
    }

    @Test func `a few empty lines may stand before a request, many may not`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
            #expect(try await Self.status(service, "\r\n" + request) == 200)
            #expect(try await Self.status(service, String(repeating: "\r\n", count: 100) + request) == 400)
        }
    }

    @Test func `Host has a port of at most 65535 and neither a backslash nor a byte above 0x7F`() async throws {
        try await ServiceUnderTest.with { service async throws in
            func request(_ host: [UInt8]) -> [UInt8] {
                Array("GET /healthz HTTP/1.1\r\nHost: ".utf8) + host + Array("\r\n\r\n".utf8)
            }
            for host in ["localhost", "localhost:65535", "127.0.0.1:1", "[::1]:80"] {
                #expect(try await Self.status(service, request(Array(host.utf8))) == 200, "\(host)")
            }
            for host in ["localhost:65536", "localhost:99999999999999999999", "local\\host", "a:-1", "a:b", "a b", "", "a@b"] {
                #expect(try await Self.status(service, request(Array(host.utf8))) == 400, "\(host)")
            }
            #expect(try await Self.status(service, request([0x61, 0x80])) == 400)
            #expect(try await Self.status(service, "GET /healthz HTTP/1.1\r\n\r\n") == 400)
            #expect(try await Self.status(service, "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == 400)
        }
    }

    @Test func `a scheme other than http or https in absolute form is 400`() async throws {
        try await ServiceUnderTest.with { service async throws in
            for (scheme, status) in [("http", 200), ("https", 200), ("ftp", 400), ("httpx", 400), ("ws", 400)] {
                #expect(
                    try await Self.status(service, "GET \(scheme)://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n") == status, "\(scheme)")
            }
        }
    }

    @Test func `a header name that is no token is 400`() async throws {
        try await ServiceUnderTest.with { service async throws in
            for name in ["X Y", "X@Y", "X(Y)", "X\u{E9}", "", "X\t", "\"X\""] {
                #expect(try await Self.status(service, "GET /healthz HTTP/1.1\r\nHost: a\r\n\(name): 1\r\n\r\n") == 400, "\(name)")
            }
            #expect(try await Self.status(service, "GET /healthz HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^`|~9Az: 1\r\n\r\n") == 200)
        }
    }

    @Test func `names with an underscore are dropped, and the client's own word on who it is`() async throws {
        try await EchoServer.with { upstream async throws in
            var settings = ProxySettings()
            settings.listen = ListenAddress(host: "127.0.0.1", port: 0)
            settings.upstreams = [ListenAddress(host: "127.0.0.1", port: upstream.port)]
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let proxy = try settings.proxy(logger: logger)
            let group = ServiceGroup(services: [proxy], logger: logger)
            async let running: Void = group.run()
            let port = try await proxy.address().port
            let seen = try await HTTPConversation.request(
                "GET", "/", port: port, headers: ["X_Real_IP: 10.0.0.1", "X-Kept: 1", "X-Real-IP: 10.0.0.1"]
            ).text.lowercased()
            await group.triggerGracefulShutdown()
            try await running
            #expect(!seen.contains("x_real_ip"))
            #expect(seen.contains("x-kept: 1\r\n"))
            #expect(seen.contains("x-real-ip: 127.0.0.1\r\n"))
            #expect(!seen.contains("10.0.0.1"))
        }
    }
}
