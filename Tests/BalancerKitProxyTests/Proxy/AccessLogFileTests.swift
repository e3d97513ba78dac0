import Foundation
import Logging
import ScaleCore
import ScaleTesting
import Testing

@testable import BalancerKitProxy

@Suite struct AccessLogFileTests {
    private static let pattern = #"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\]"#

    /// A directory that is gone with the test.
    static func withDirectory(_ body: (String) async throws -> Void) async throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-log-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        try await body(url.path)
    }

    /// The lines of a file, with the time taken out.
    static func lines(_ file: String) -> [String] {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").map { $0.replacingOccurrences(of: Self.pattern, with: "[]", options: .regularExpression) }
    }

    @Test func `a route's file has its requests, in nginx's format, and no request writes a line or field of its own`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await Self.withDirectory { directory in
            let (all, some) = ("\(directory)/all.log", "\(directory)/some.log")
            var configuration = configuration(upstream.port)
            configuration.accessLog = .info
            configuration.responses.log = .files([all])
            var silent = ProxyRoute(prefix: "/silent", action: .refuse(status: 403))
            silent.responses.log = .off
            var usual = ProxyRoute(prefix: "/usual", action: .refuse(status: 404))
            usual.responses.log = .logger
            var both = ProxyRoute(prefix: "/both", action: .answer(FixedAnswer(status: 200, text: try RequestTemplate("four"))))
            both.responses.log = .files([all, some])
            configuration.routes += [silent, usual, both]
            let user = Data("us\"er:secret".utf8).base64EncodedString()
            try await withProxy(configuration) { (proxy: RunningProxy) async throws in
                let lines = ["Referer: r\u{E9}\\", "User-Agent: a\"b\t", "Authorization: basic \(user)"]
                _ = try await proxy.ask("GET /a%0a?q=\"x\" HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n")
                for target in ["/silent", "/usual", "/both"] { _ = try await proxy.ask("GET \(target) HTTP/1.0\r\n\r\n") }
                _ = try await proxy.ask("PUT /both HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try await proxy.ask("GARBAGE\u{1}\r\n\r\n")
                let logged = proxy.log.all.filter { $0.hasPrefix("info request [") }
                #expect(logged.count == 1 && logged.allSatisfy { $0.contains("/usual") }, "\(logged)")
                #expect(!proxy.log.all.contains { $0.contains("secret") })
            }
            // The proxy's end waits for the lines.
            #expect(
                Self.lines(all) == [
                    #"127.0.0.1 - us\x22er [] "GET /a%0a?q=\x22x\x22 HTTP/1.1" 200 5 "r\xC3\xA9\x5C" "a\x22b""#,
                    #"127.0.0.1 - - [] "GET /both HTTP/1.0" 200 4 "-" "-""#, #"127.0.0.1 - - [] "PUT /both HTTP/1.1" 200 4 "-" "-""#,
                    #"127.0.0.1 - - [] "GARBAGE\x01" 400 16 "-" "-""#,
                ])
            #expect(Self.lines(some).count == 2)
        }
        await upstream.stop()
    }

    @Test func `a file that was moved away is made anew, and no line is lost between`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await Self.withDirectory { directory in
            let file = "\(directory)/access.log"
            var configuration = configuration(upstream.port)
            configuration.responses.log = .files([file])
            try await withProxy(configuration) { (proxy: RunningProxy) async throws in
                _ = try await proxy.ask(get(target: "/1"))
                try await eventually("the first line is there") { Self.lines(file).count == 1 }
                try FileManager.default.moveItem(atPath: file, toPath: "\(file).1")
                _ = try await proxy.ask(get(target: "/2"))
                try await eventually("the old file is still the one") { Self.lines("\(file).1").count == 2 }
                try await proxy.proxy.reopenLogs()
                _ = try await proxy.ask(get(target: "/3"))
                try await eventually("the new file has a line") { Self.lines(file).count == 1 }
                #expect(Self.lines(file)[0].contains("/3 "))
                // What cannot be opened leaves all as it was.
                try FileManager.default.moveItem(atPath: file, toPath: "\(file).2")
                try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
                let error = await #expect(throws: ProxyError.self) { try await proxy.proxy.reopenLogs() }
                #expect(error?.code == .unwritableLog && error?.place == file)
                #expect(proxy.log.all.contains { $0.hasPrefix("error access logs could not all be opened anew") && $0.contains(file) })
                _ = try await proxy.ask(get(target: "/4"))
                try await eventually("the file goes on") { Self.lines("\(file).2").count == 2 }
            }
        }
        await upstream.stop()
    }

    @Test func `a file that cannot be opened anew keeps no other from it`() async throws {
        try await Self.withDirectory { directory in
            let (first, second) = ("\(directory)/1.log", "\(directory)/2.log")
            var configuration = configuration(1)
            configuration.responses.log = .files([second, first])
            try await withProxy(configuration) { (proxy: RunningProxy) async throws in
                for file in [first, second] { try FileManager.default.removeItem(atPath: file) }
                try FileManager.default.createDirectory(atPath: first, withIntermediateDirectories: false)
                let error = await #expect(throws: ProxyError.self) { try await proxy.proxy.reopenLogs() }
                #expect(error?.place == first)
                #expect(FileManager.default.fileExists(atPath: second))
            }
        }
    }

    @Test func `however often a file is opened anew, it is open once, and not at all in the end`() async throws {
        @Sendable func count(_ path: String) -> Int {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
            return names.count { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path }
        }
        try await Self.withDirectory { directory in
            let (file, link) = ("\(directory)/a.log", "\(directory)/link.log")
            try Data().write(to: URL(fileURLWithPath: file))
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
            var configuration = configuration(1)
            configuration.responses.log = .files([link])
            let ended = try await withProxy(configuration) { (proxy: RunningProxy) async throws in
                for _ in 0..<40 { try await proxy.proxy.reopenLogs() }
                _ = try await proxy.ask("BAD\r\n\r\n")
                try await eventually("a line") { Self.lines(file).count == 1 }
                try await eventually("one is left") { count(file) == 1 }
                return proxy.proxy
            }
            try await eventually("none is left") { count(file) == 0 }
            try await ended.reopenLogs()
            #expect(count(file) == 0)
        }
    }

    @Test func `lines of many connections and routes stay whole in one file`() async throws {
        try await Self.withDirectory { directory in
            let file = "\(directory)/a.log"
            var configuration = configuration(1)
            configuration.threads = 2
            configuration.routes = try (0..<4).map { index in
                var route = ProxyRoute(prefix: "/\(index)", action: .answer(FixedAnswer(status: 200, text: try RequestTemplate("x"))))
                route.responses.log = .files([file, index == 0 ? "\(directory)/./a.log" : file])
                return route
            }
            try await withProxy(configuration) { (proxy: RunningProxy) async throws in
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for index in 0..<8 {
                        tasks.addTask {
                            for number in 0..<20 {
                                let agent = String(repeating: "a", count: 3000)
                                _ = try await proxy.ask("GET /\(index % 4)/\(number) HTTP/1.0\r\nUser-Agent: \(agent)\r\n\r\n")
                            }
                        }
                    }
                    try await tasks.waitForAll()
                }
            }
            let lines = Self.lines(file)
            let whole = try Regex(#"^127\.0\.0\.1 - - \[\] "GET /[0-3]/[0-9]+ HTTP/1\.0" 200 1 "-" "a{3000}"$"#)
            #expect(lines.count == 320)
            #expect(try lines.allSatisfy { try whole.wholeMatch(in: $0) != nil })
        }
    }

    @Test func `a file that cannot be opened is an error before anything is served`() async throws {
        var configuration = configuration(1)
        configuration.responses.log = .files(["/nowhere/at/all/access.log"])
        let error = await #expect(throws: ProxyError.self) { try await withProxy(configuration) { _ in } }
        #expect(error?.code == .unwritableLog && error?.place == "/nowhere/at/all/access.log")
        for paths in [[], [""], ["/a\u{0}b"]] {
            configuration.responses.log = .files(paths)
            #expect(throws: ProxyError.self) { try configuration.validate() }
        }
    }

    @Test func `a disk that takes nothing costs lines, and no request`() async throws {
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.responses.log = .files(["/dev/full"])
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            for _ in 0..<3 { #expect(try await proxy.ask(get()).status == 200) }
            _ = try await proxy.log.first("the failure") { $0.contains("the access log cannot be written") && $0.contains("/dev/full") }
            _ = await proxy.beginShutdown()
            _ = try await proxy.log.first("the count") { $0.contains("lines of the access log were lost") && $0.contains("\"count\": 3") }
        }
        await upstream.stop()
    }

    @Test(arguments: [(0, "01/Jan/1970"), (1_700_000_000, "14/Nov/2023"), (253_402_300_799, "31/Dec/9999")] as [(Int64, String)])
    func `the time is nginx's`(second: Int64, date: String) throws {
        let stamp = String(decoding: AccessLogLine.stamp(second), as: UTF8.self)
        try #require(stamp.firstMatch(of: try Regex("^\(Self.pattern.dropFirst(2).dropLast(2))$")) != nil, "\(stamp)")
        let formatter = DateFormatter()
        (formatter.locale, formatter.dateFormat) = (Locale(identifier: "en_US_POSIX"), "dd/MMM/yyyy:HH:mm:ss Z")
        #expect(formatter.string(from: Date(timeIntervalSince1970: TimeInterval(second))) == stamp)
        #expect(TimeZone.current.secondsFromGMT() != 0 || stamp.hasPrefix(date))
    }
}
