import Foundation
import Testing

@testable import ProfileService

/// Paths, methods, sizes, and the order in which a request is checked.
@Suite struct MethodRules {
    typealias Way = ServiceUnderTest.Way

    static let allowed: [(path: String, allow: String)] = [
        ("/users", "POST"), ("/login", "POST"), ("/logout", "POST"), ("/me", "GET, HEAD"), ("/profiles", "GET, HEAD"),
        ("/profiles/1", "GET, PUT, HEAD"), ("/profiles/x", "GET, PUT, HEAD"), ("/profiles/1/notifications", "POST"),
        ("/jobs/1", "GET, HEAD"), ("/analytics", "GET, HEAD"), ("/healthz", "GET, HEAD"), ("/readyz", "GET, HEAD"),
        ("/metrics", "GET, HEAD"), ("/live", "GET, HEAD"),
    ]

    @Test(arguments: Way.allCases) func `a known path with another method is 405 with Allow`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            for (path, allow) in Self.allowed {
                for method in ["DELETE", "PATCH", "OPTIONS", "PURGE"] + (allow.contains("POST") ? ["GET", "HEAD", "PUT"] : ["POST"]) {
                    let answer = try await service.request(method, path, via: way)
                    #expect(answer.status == 405, "\(method) \(path)")
                    #expect(answer.header("allow") == allow, "\(method) \(path)")
                }
            }
        }
    }

    @Test(arguments: Way.allCases) func `an unknown path is 404`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            for path in ["/", "/profile", "/profiles/1/notifications/2", "/Profiles", "/users/1", "/jobs"] {
                #expect(try await service.request("GET", path, via: way).status == 404, "\(path)")
            }
        }
    }

    @Test(arguments: Way.allCases) func `an empty segment is no other path`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let mine = try await service.login(1)
            for (method, path, status) in [
                ("GET", "/profiles/", 400), ("PUT", "/profiles/", 400), ("POST", "/profiles//notifications", 400),
                ("DELETE", "/profiles/", 405),
                ("GET", "/jobs/", 404), ("GET", "/profiles/1/", 404), ("GET", "/profiles//1", 404), ("GET", "//profiles", 404),
                ("GET", "/me/", 404), ("GET", "/healthz/", 404), ("POST", "/profiles/1/notifications/", 404),
            ] {
                for cookie in [mine, nil] {
                    let answer = try await service.request(method, path, via: way, cookie: cookie)
                    #expect(answer.status == status, "\(method) \(path)")
                    #expect(answer.header("content-type") == "application/json", "\(method) \(path)")
                    #expect(try answer.json()["error"] is String, "\(method) \(path)")
                }
            }
        }
    }

    @Test(arguments: Way.allCases, ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n"])
    func `a request of HTTP 1·1 without exactly one Host is 400`(way: Way, lines: String) async throws {
        try await ServiceUnderTest.with { service async throws in
            let status = try await HTTPConversation.with(port: service.port(way)) { speaker in
                try await speaker.send("GET /healthz HTTP/1.1\r\n\(lines)\r\n")
                return try await speaker.answer().status
            }
            #expect(status == 400)
        }
    }

    @Test(arguments: Way.allCases) func `a connection of HTTP 1·0 closes after the answer, and needs no Host`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            for lines in ["", "Host: a\r\n", "Connection: close\r\n"] {
                let status = try await HTTPConversation.with(port: service.port(way)) { speaker in
                    try await speaker.send("GET /healthz HTTP/1.0\r\n\(lines)\r\n")
                    let answer = try await speaker.answer()
                    _ = try await speaker.isClosed()
                    return answer.status
                }
                #expect(status == 200, "\(lines)")
            }
        }
    }

    @Test func `a connection of HTTP 1·0 whose client asks for it is kept at an instance`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let statuses = try await HTTPConversation.with(port: service.port(.direct)) { speaker in
                var statuses: [Int] = []
                for _ in 0..<2 {
                    try await speaker.send("GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
                    statuses.append(try await speaker.answer().status)
                }
                return statuses
            }
            #expect(statuses == [200, 200])
        }
    }

    @Test(arguments: Way.allCases, ["close", "Close", "keep-alive, close"])
    func `a connection of HTTP 1·1 closes when its client says so, in whatever spelling`(way: Way, connection: String) async throws {
        try await ServiceUnderTest.with { service async throws in
            let isClosed = try await HTTPConversation.with(port: service.port(way)) { speaker in
                try await speaker.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: \(connection)\r\n\r\n")
                _ = try await speaker.answer()
                return try await speaker.isClosed()
            }
            #expect(isClosed)
        }
    }

    @Test(arguments: Way.allCases) func `HEAD has the headers of GET and no body`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1)
            for path in ["/me", "/profiles", "/profiles/1", "/profiles/99", "/profiles/0", "/analytics", "/healthz", "/readyz"] {
                _ = try await service.request("GET", path, via: way, cookie: cookie)
                let get = try await service.request("GET", path, via: way, cookie: cookie)
                let head = try await service.request("HEAD", path, via: way, cookie: cookie)
                #expect(head.status == get.status, "\(path)")
                let differing = ["date"]
                #expect(
                    head.headers.filter { !differing.contains($0.name) }.map { "\($0.name): \($0.value)" }
                        == get.headers.filter { !differing.contains($0.name) }.map { "\($0.name): \($0.value)" }, "\(path)")
                #expect(head.header("content-length") == "\(get.body.count)", "\(path)")
            }
        }
    }

    @Test(arguments: Way.allCases) func `nothing follows the head of an answer to HEAD`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let second = try await HTTPConversation.with(port: service.port(way)) { speaker in
                try await speaker.send("HEAD /profiles/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try await speaker.answer(hasBody: false)
                return try await speaker.answer()
            }
            #expect(second.status == 200)
            #expect(second.text == #"{"status":"ok"}"#)
        }
    }

    @Test(arguments: Way.allCases) func `a target over 8 KiB is 414, or 400 at an instance`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let prefix = "/healthz?"
            let longest = prefix + String(repeating: "a", count: 8192 - prefix.utf8.count)
            #expect(try await service.request("GET", longest, via: way).status == 200)
            let status = try await service.request("GET", longest + "a", via: way).status
            #expect(status == 414 || (way == .direct && status == 400))
        }
    }

    @Test(arguments: Way.allCases) func `a header block over 32 KiB is 431 or 400`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            func padding(_ bytes: Int) -> [String] { (0..<bytes / 1024).map { "X-Pad-\($0): " + String(repeating: "a", count: 1010) } }
            #expect(try await service.request("GET", "/healthz", via: way, headers: padding(30 * 1024)).status == 200)
            #expect([400, 431].contains(try await service.request("GET", "/healthz", via: way, headers: padding(33 * 1024)).status))
        }
    }

    @Test(arguments: Way.allCases) func `checks come in their order`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let big = String(repeating: "x", count: 70_000)
            let mine = try await service.login(1)
            // method before id
            #expect(try await service.request("DELETE", "/profiles/0", via: way).status == 405)
            // id before session
            #expect(try await service.request("PUT", "/profiles/0", big, via: way, contentType: "text/plain").status == 400)
            #expect(try await service.request("POST", "/profiles/0/notifications", via: way).status == 400)
            // session before existence
            #expect(try await service.request("PUT", "/profiles/99", big, via: way, contentType: "text/plain").status == 401)
            #expect(try await service.request("POST", "/profiles/99/notifications", via: way).status == 401)
            // existence before ownership
            #expect(try await service.request("PUT", "/profiles/99", big, via: way, cookie: mine, contentType: "text/plain").status == 404)
            #expect(try await service.request("POST", "/profiles/99/notifications", via: way, cookie: mine).status == 404)
            // ownership before content type
            #expect(try await service.request("PUT", "/profiles/2", big, via: way, cookie: mine, contentType: "text/plain").status == 403)
            // content type before size
            #expect(try await service.request("PUT", "/profiles/1", big, via: way, cookie: mine, contentType: "text/plain").status == 415)
            // size before syntax
            #expect(try await service.request("PUT", "/profiles/1", big, via: way, cookie: mine).status == 413)
            // syntax before fields
            #expect(try await service.request("PUT", "/profiles/1", "{", via: way, cookie: mine).status == 400)
            // fields before conflict
            #expect(
                try await service.request("POST", "/users", #"{"email":"\#(Seed.email(1))","password":"x","name":"N"}"#, via: way).status
                    == 422)
        }
    }
}
