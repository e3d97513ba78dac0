import BalancerKit
import Logging
import ScaleCore
import ScaleTesting
import Testing

@testable import BalancerKitProxy

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A proxy with a directory of files at `/static/`, by `root`.
func withFiles(
    _ change: (inout StaticFiles) -> Void = { _ in }, prefix: String = "/static/", isExact: Bool = false,
    level: ProxyTimeouts = ProxyTimeouts(), time: TimeSource = .system,
    _ body: @Sendable (RunningProxy, TestDirectory) async throws -> Void
) async throws {
    let directory = try TestDirectory()
    try directory.write("www/static/a.txt", "0123456789abcdefghi")
    try directory.touch("www/static/a.txt", at: 784_111_777)
    try directory.write("www/static/sub/index.html", "<p>index</p>")
    try directory.write("www/static/empty/b.css", "")
    try directory.write("secret.txt", "secret")
    var files = StaticFiles(directory: directory("www"))
    change(&files)
    var route = ProxyRoute(prefix: prefix, files: files)
    route.isExact = isExact
    var configuration = ProxyConfiguration(routes: [route])
    configuration.port = 0
    configuration.threads = 1
    configuration.timeouts = level
    configuration.timeouts.shutdownIdle = .zero
    configuration.accessLog = .info
    try await withProxy(configuration, time: time) { (proxy: RunningProxy) async throws in try await body(proxy, directory) }
    directory.remove()
}

@Suite struct StaticFilesTests {
    static let tag = "\"2ebc98a1-13\""
    static let date = "Sun, 06 Nov 1994 08:49:37 GMT"

    @Test func `a file is sent with the fields of nginx, and its connection is kept`() async throws {
        try await withFiles { proxy, _ in
            let connection = try await proxy.connect()
            for _ in 0..<2 {
                try await connection.send(get(target: "/static/a.txt?x=1"))
                let response = try await connection.response()
                #expect(response.status == 200)
                #expect(response.body == "0123456789abcdefghi")
                #expect(response.field("Content-Type") == "text/plain")
                #expect(response.field("ETag") == Self.tag)
                #expect(response.field("Last-Modified") == Self.date)
                #expect(response.field("Accept-Ranges") == "bytes")
                #expect(response.field("Date") != nil)
                #expect(response.field("Connection") == "keep-alive")
            }
            try await connection.send(get(target: "/static/a.txt", method: "HEAD"))
            let head = try await connection.response(toHead: true)
            #expect(head.status == 200)
            #expect(head.field("Content-Length") == "19")
            try await connection.send(get(target: "/static/empty/b.css"))
            let empty = try await connection.response()
            #expect(empty.field("Content-Length") == "0")
            #expect(empty.field("Content-Type") == "text/css")
            await connection.close()
            let lines = proxy.log.all.filter { $0.hasPrefix("info request [") }
            #expect(
                lines.contains { $0.contains("\"bytes\": 19") && $0.contains("\"path\": /static/a.txt") && $0.contains("\"upstream\": -") })
        }
    }

    @Test func `paths, methods and missing files get nginx' statuses`() async throws {
        try await withFiles { proxy, directory in
            try directory.write("www/static/denied", "x")
            mkfifo(directory("www/static/fifo"), 0o600)
            for (method, target, status) in [
                ("GET", "/static/none", 404), ("GET", "/static/a.txt/", 404), ("GET", "/static/a.txt/x", 404), ("GET", "/static/", 403),
                ("GET", "/static/empty/", 403), ("GET", "/static/none/", 404), ("POST", "/static/a.txt", 405),
                ("PUT", "/static/a.txt", 405),
                ("PUT", "/static/none", 405), ("POST", "/static/none", 404), ("DELETE", "/static/", 405), ("GET", "/static/fifo", 404),
                ("GET", "/static/sub/", 200), ("GET", "/static/%61.txt", 200), ("GET", "/static/./x/../a.txt", 200),
                ("GET", "/static/" + String(repeating: "a", count: 300), 404), ("GET", "/other", 404),
            ] {
                let response = try await proxy.ask(get(target: target, method: method))
                #expect(response.status == status, "\(method) \(target)")
                if status == 405 { #expect(response.field("Allow") == "GET, HEAD") }
            }
            let redirect = try await proxy.ask(get(target: "/static/sub?x=1", host: "evil.example:99"))
            #expect(redirect.status == 301)
            #expect(redirect.field("Location") == "/static/sub/?x=1")
        }
    }

    @Test func `a redirect never leads to another host, and cannot end its line`() async throws {
        try await withFiles({ $0.symbolicLinks = .followed }, prefix: "/") { proxy, directory in
            try directory.write("www/evil.example/x", "")
            try directory.write("www/a\r\nb é/x", "")
            #expect(try await proxy.ask(get(target: "//evil.example")).field("Location") == "/evil.example/")
            #expect(try await proxy.ask(get(target: "/%2fevil.example")).field("Location") == "/evil.example/")
            #expect(try await proxy.ask(get(target: "/a%0d%0ab%20%c3%a9")).field("Location") == "/a%0D%0Ab%20%C3%A9/")
        }
    }

    @Test func `nothing leads out of the root`() async throws {
        for links in [StaticFiles.SymbolicLinks.followed, .followedWithinRoot, .refused] {
            try await withFiles({ $0.symbolicLinks = links }) { proxy, _ in
                for target in [
                    "/static/../../secret.txt", "/static/..%2f..%2fsecret.txt", "/static/%2e%2e/%2e%2e/secret.txt",
                    "/static/%2e%2e%2f%2e%2e%2fsecret.txt",
                    "/static/..%2f..%2f..%2f..%2fetc%2fpasswd", "/static/a.txt%00", "/static/..", "/static/../secret.txt",
                    "/static//../../secret.txt",
                    "/static/..%5c..%5csecret.txt",
                ] {
                    let response = try await proxy.ask(get(target: target))
                    #expect(response.status == 400 || response.status == 404, "\(target)")
                    #expect(!response.body.contains("secret"), "\(target)")
                }
            }
        }
        // nginx' foot-gun: a prefix without a final slash, and a directory behind it.
        try await withFiles(
            { files in
                files = StaticFiles(directory: files.directory + "/static/", mapping: .alias)
            }, prefix: "/al"
        ) { proxy, _ in
            #expect(try await proxy.ask(get(target: "/al/a.txt")).status == 200)
            #expect(try await proxy.ask(get(target: "/ala.txt")).status == 200)
            #expect(try await proxy.ask(get(target: "/al../../secret.txt")).status == 404)
            for target in ["/al..", "/al../x"] {
                let status = try await proxy.ask(get(target: target)).status
                #expect(status == 403 || status == 404)
            }
        }
    }

    @Test func `symbolic links are followed as far as the setting says`() async throws {
        let expectations: [(StaticFiles.SymbolicLinks, [String: Int])] = [
            (.followed, ["in": 200, "absolute": 200, "dir/a.txt": 200, "out": 200, "out2": 200, "loop": 403, "dead": 404, "up": 200]),
            (
                .followedWithinRoot,
                ["in": 200, "absolute": 200, "dir/a.txt": 200, "out": 403, "out2": 403, "loop": 403, "dead": 404, "up": 200]
            ),
            (.refused, ["in": 403, "absolute": 403, "dir/a.txt": 403, "out": 403, "out2": 403, "loop": 403, "dead": 403, "up": 403]),
        ]
        for (links, statuses) in expectations {
            try await withFiles({ $0.symbolicLinks = links }) { proxy, directory in
                try directory.link("www/static/in", to: "a.txt")
                try directory.link("www/static/absolute", to: directory("www/static/a.txt"))
                try directory.link("www/static/dir", to: "../static")
                try directory.link("www/static/out", to: directory("secret.txt"))
                try directory.link("www/static/out2", to: "../../secret.txt")
                try directory.link("www/static/loop", to: "loop")
                try directory.link("www/static/dead", to: "none")
                try directory.link("www/static/up", to: "sub/../a.txt")
                for (name, status) in statuses {
                    let response = try await proxy.ask(get(target: "/static/\(name)"))
                    #expect(response.status == status, "\(links) \(name)")
                }
                #expect(try await proxy.ask(get(target: "/static/a.txt")).status == 200)
            }
        }
    }

    @Test func `conditions and ranges are answered as nginx does`() async throws {
        try await withFiles { proxy, _ in
            func ask(_ lines: String..., method: String = "GET") async throws -> RawResponse {
                let connection = try await proxy.connect()
                try await connection.send("\(method) /static/a.txt HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n")
                let response = try await connection.response(toHead: method == "HEAD")
                await connection.close()
                return response
            }
            let notModified = try await ask("If-None-Match: \(Self.tag)")
            #expect(notModified.status == 304)
            #expect(notModified.field("ETag") == Self.tag)
            #expect(notModified.field("Content-Length") == nil)
            #expect(try await ask("If-Modified-Since: \(Self.date)").status == 304)
            #expect(try await ask("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT").status == 200)
            #expect(try await ask("If-None-Match: \"x\"", "If-None-Match: \(Self.tag)").status == 304)
            #expect(try await ask("If-Match: \"x\"").status == 412)
            #expect(try await ask("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT").status == 412)

            let part = try await ask("Range: bytes=0-4", "If-Range: \(Self.tag)")
            #expect(part.status == 206)
            #expect(part.body == "01234")
            #expect(part.field("Content-Range") == "bytes 0-4/19")
            #expect(try await ask("Range: bytes=-3").body == "ghi")
            #expect(try await ask("Range: bytes=0-4", "If-Range: \"other\"").status == 200)
            #expect(try await ask("Range: bytes=0-4", "If-Range: \(Self.date)").status == 206)
            let beyond = try await ask("Range: bytes=99-")
            #expect(beyond.status == 416)
            #expect(beyond.field("Content-Range") == "bytes */19")
            // Ranges are defined for GET alone.
            #expect(try await ask("Range: bytes=0-4", method: "HEAD").status == 200)
        }
    }

    @Test func `several ranges are a multipart body of the length that is promised`() async throws {
        try await withFiles { proxy, _ in
            let response = try await proxy.ask(get("Range: bytes=0-1,3-4", target: "/static/a.txt"))
            #expect(response.status == 206)
            // As measured with nginx.
            #expect(response.field("Content-Length") == "198")
            let type = try #require(response.field("Content-Type"))
            #expect(type.hasPrefix("multipart/byteranges; boundary="))
            let boundary = type.dropFirst("multipart/byteranges; boundary=".count)
            #expect(
                response.body
                    == "\r\n--\(boundary)\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/19\r\n\r\n01"
                    + "\r\n--\(boundary)\r\nContent-Type: text/plain\r\nContent-Range: bytes 3-4/19\r\n\r\n34\r\n--\(boundary)--\r\n")
            let many = (0..<17).map { "\($0)-\($0)" }.joined(separator: ",")
            #expect(try await proxy.ask(get("Range: bytes=\(many)", target: "/static/a.txt")).status == 200)
        }
    }

    @Test func `index files, a fallback, hidden files, an alias and types are as configured`() async throws {
        try await withFiles(
            { files in
                files = StaticFiles(directory: files.directory + "/static", mapping: .alias)
                files.indexFiles = ["none.html", "index.html"]
                files.fallbackFile = "/sub/index.html"
                files.hidesDotFiles = true
                files.contentTypes = ["html": "text/x"]
                files.defaultContentType = ""
                files.cacheControl = "max-age=60"
                files.sendsETag = false
                files.maximumRanges = 0
            }, prefix: "/files/"
        ) { proxy, directory in
            try directory.write("www/static/.env", "secret")
            let file = try await proxy.ask(get("Range: bytes=0-1", target: "/files/a.txt"))
            #expect(file.status == 200 && file.body == "0123456789abcdefghi")
            #expect(file.field("Content-Type") == nil && file.field("ETag") == nil && file.field("Accept-Ranges") == nil)
            #expect(file.field("Cache-Control") == "max-age=60")
            #expect(try await proxy.ask(get(target: "/files/sub/")).body == "<p>index</p>")
            let fallback = try await proxy.ask(get(target: "/files/some/page"))
            #expect(fallback.status == 200 && fallback.body == "<p>index</p>")
            #expect(fallback.field("Content-Type") == "text/x")
            #expect(try await proxy.ask(get(target: "/files/.env")).status == 404)
            #expect(try await proxy.ask(get(target: "/files/empty")).field("Location") == "/files/empty/")
        }
        try await withFiles(
            { files in
                files = StaticFiles(directory: files.directory + "/static/a.txt", mapping: .alias)
            }, prefix: "/one", isExact: true
        ) { proxy, _ in
            let response = try await proxy.ask(get(target: "/one"))
            #expect(response.body == "0123456789abcdefghi")
        }
    }

    @Test func `a client that takes nothing is not read ahead for, and given up; one that is slow gets all`() async throws {
        let length = 48 << 20
        var timeouts = ProxyTimeouts()
        timeouts.clientSend = .seconds(5)
        let time = ManualTime()
        try await withFiles(level: timeouts, time: time.source) { proxy, directory in
            try directory.write("www/static/large", String(repeating: "x", count: length))
            let stalled = try await proxy.connect()
            try await stalled.setReading(false)
            try await stalled.send(get(target: "/static/large"))
            // As long as the kernel's buffers take more, the client is one that takes: its time begins anew.
            try await eventually("the client's time is over") {
                await time.advance(by: .seconds(3))
                return proxy.log.all.contains { $0.contains("client timed out") }
            }
            let line = try await proxy.log.first("its line") { $0.contains("\"status\": 499") }
            #expect(!line.contains("\"bytes\": \(length)"))
            await stalled.close()
            let connection = try await proxy.connect()
            try await connection.send(get(target: "/static/large"))
            try await eventually("all has come") { connection.received.count > length }
            #expect(connection.end == .open)
            await connection.close()
        }
    }

    @Test func `a file that shrinks while it is sent ends the connection before its length`() async throws {
        let length = 48 << 20
        try await withFiles { proxy, directory in
            try directory.write("www/static/large", String(repeating: "x", count: length))
            let connection = try await proxy.connect()
            try await connection.setReading(false)
            try await connection.send(get(target: "/static/large"))
            // The head goes out with the first piece, so the file's length is promised by then; the rest cannot be on its way yet.
            try await eventually("the head is there") {
                connection.readOnce()
                return connection.text.contains("\r\n\r\n")
            }
            #expect(truncate(directory("www/static/large"), 1000) == 0)
            // It may have ended already: what was asked for above may have brought the end.
            try? await connection.setReading(true)
            try await connection.untilEnd()
            #expect(connection.received.count < length)
        }
    }

    @Test func `a body that nobody wants ends the connection behind the answer`() async throws {
        try await withFiles { proxy, _ in
            let connection = try await proxy.connect()
            try await connection.send("GET /static/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde")
            let response = try await connection.response()
            #expect(response.status == 200 && response.field("Connection") == "close")
            await connection.close()
        }
    }

    @Test func `settings that cannot work are named`() {
        func place(_ change: (inout StaticFiles) -> Void) -> String? {
            var files = StaticFiles(directory: "/srv")
            change(&files)
            var configuration = ProxyConfiguration(routes: [ProxyRoute(prefix: "/", files: files)])
            configuration.port = 0
            return #expect(throws: ProxyError.self) { try ReverseProxy(configuration) }?.place
        }
        #expect(place { $0.directory = "srv" } == "files.directory")
        #expect(place { $0.indexFiles = ["../x"] } == "files.indexFiles")
        #expect(place { $0.fallbackFile = "x" } == "files.fallbackFile")
        #expect(place { $0.maximumRanges = -1 } == "files.maximumRanges")
        #expect(place { $0.cacheControl = "a\r\nb" } == "files")
    }
}
