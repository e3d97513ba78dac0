import BalancerKit
import ScaleTesting
import Testing

@testable import BalancerKitProxy

/// Every rule of the parsers, as the peers of a running proxy see it: what breaks it is answered or cut off, the log names the rule and
/// holds no byte of the message, and the next request on a fresh connection is served.
@Suite struct ViolationTests {
    @Test func `every bad head of a request is answered with the status of its rule`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (text, violation) in RequestHeadTests.refused {
                try await Self.expectRefusal(of: text, for: violation, proxy)
                #expect(try await proxy.ask(get()).status == 200)
            }
            #expect(upstream.requests.count == RequestHeadTests.refused.count)
        }
        await upstream.stop()
    }

    @Test func `every bad chunk of a request is answered with the status of its rule`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (text, violation) in ChunkedBodyTests.refused {
                let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                try await Self.expectRefusal(of: head + text, for: violation, proxy)
                #expect(try await proxy.ask(get()).status == 200)
            }
        }
        await upstream.stop()
    }

    private static func expectRefusal(of text: String, for violation: HTTPViolation, _ proxy: RunningProxy) async throws {
        let logged = proxy.log.count
        let connection = try await proxy.connect()
        try await connection.send(text)
        let response = try await connection.response()
        #expect(response.status == violation.requestStatus, "\(text.prefix(100).debugDescription)")
        #expect(response.field("Connection") == "close")
        #expect(try await connection.untilEnd() == .closed)
        await connection.close()
        // Nothing but the rule, the status and the peer: so no header, no target, no secret.
        let line = try await proxy.log.waitForCount(logged + 1)[logged]
        #expect(line.hasPrefix("info request refused ["))
        for part in ["\"reason\": \(violation.rawValue)", "\"status\": \(violation.requestStatus)", "\"client\": 127.0.0.1"] {
            #expect(line.contains(part), "\(part) in \(line)")
        }
        #expect(
            line.utf8.count <= "info request refused [\"reason\": , \"status\": 400, \"client\": 127.0.0.1]".utf8.count
                + violation.rawValue.utf8.count)
    }

    /// An upstream that answers the target `/n` with the n-th text, and any other with `hello`.
    static func upstream(_ texts: [String]) async throws -> ScriptedUpstream {
        try await .start { request in
            let target = request.line.split(separator: " ")[1].dropFirst()
            return [.send(Int(target).map { texts[$0] } ?? ok("hello"))]
        }
    }

    @Test func `every bad head of a response is a 502, and its connection is not used again`() async throws {
        let upstream = try await Self.upstream(ResponseHeadTests.refused.map(\.text))
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (index, (text, _)) in ResponseHeadTests.refused.enumerated() {
                let logged = proxy.log.count
                #expect(try await proxy.ask(get(target: "/\(index)")).status == 502, "\(text.debugDescription)")
                let connection = upstream.requests.last?.connection
                #expect(try await proxy.log.waitForCount(logged + 1)[logged].hasPrefix("warning upstream failed [") == true)
                #expect(try await proxy.ask(get()).body == "hello")
                #expect(upstream.requests.last?.connection != connection)
            }
            #expect(!proxy.log.all.contains { $0.contains("Content-Length") || $0.contains("garbage") })
        }
        await upstream.stop()
    }

    @Test func `every bad chunk of a response cuts it off, so that it never looks whole`() async throws {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let upstream = try await Self.upstream(ChunkedBodyTests.refused.map { head + $0.text })
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            for (index, (text, _)) in ChunkedBodyTests.refused.enumerated() {
                let connection = try await proxy.connect()
                try await connection.send(get(target: "/\(index)"))
                try await connection.untilEnd()
                #expect(!connection.text.hasSuffix("0\r\n\r\n"), "\(text.debugDescription)")
                await connection.close()
                #expect(try await proxy.ask(get()).body == "hello")
            }
        }
        await upstream.stop()
    }
}

/// The rules for field lines and framing are the same in both directions.
@Suite struct FieldRuleTests {
    static let rules: [(lines: String, violation: HTTPViolation?)] = [
        ("X: 1\r\n", nil), ("X\r\n", .missingColon), (":1\r\n", .malformedFieldName), ("X : 1\r\n", .malformedFieldName),
        ("X\t: 1\r\n", .malformedFieldName), ("X(: 1\r\n", .malformedFieldName), ("X\u{e9}: 1\r\n", .malformedFieldName),
        (" X: 1\r\n", .foldedLine), ("\tX: 1\r\n", .foldedLine), ("X: 1\r\n 2\r\n", .foldedLine), ("X: 1\r\n\t2\r\n", .foldedLine),
        ("X: a\tb\r\n", nil), ("X: a\u{0}b\r\n", .controlCharacter), ("X: a\u{1}b\r\n", .controlCharacter),
        ("X: a\u{7f}b\r\n", .controlCharacter), ("X: a\rb\r\n", .controlCharacter), ("X: a\r\r\n", .controlCharacter),
        ("X: \u{80}\r\n", nil), ("X: 1\n", .bareLineFeed),
        ("Content-Length: 3\r\n", nil), ("Content-Length: 003\r\n", nil), ("Content-Length: 9223372036854775807\r\n", nil),
        ("Content-Length: 9223372036854775808\r\n", .malformedContentLength), ("Content-Length: +3\r\n", .malformedContentLength),
        ("Content-Length: -3\r\n", .malformedContentLength), ("Content-Length: 0x3\r\n", .malformedContentLength),
        ("Content-Length: 1_0\r\n", .malformedContentLength), ("Content-Length: \r\n", .malformedContentLength),
        ("Content-Length: 3, 3\r\n", .malformedContentLength), ("Content-Length: 3 3\r\n", .malformedContentLength),
        ("Content-Length: 3\r\nContent-Length: 3\r\n", .repeatedContentLength),
        ("Content-Length: 3\r\ncontent-length: 4\r\n", .repeatedContentLength),
        ("Transfer-Encoding: chunked\r\n", nil), ("Transfer-Encoding: Chunked\r\n", nil),
        ("Transfer-Encoding: gzip\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding: ,chunked\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding: xchunked\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked, chunked\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding:\tchunked\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding: \u{85}chunked\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked\u{a0}\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding: \r\n", .unsupportedTransferEncoding), ("Transfer-Encoding: identity\r\n", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .repeatedTransferEncoding),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", .conflictingFraming),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", .conflictingFraming),
    ]

    @Test(arguments: Self.rules.indices) func `a field rule holds for requests and responses, however they are cut`(index: Int) {
        let (lines, violation) = Self.rules[index]
        // One scalar of the table is one byte on the wire.
        let bytes = { (text: String) in text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }
        let request = bytes("POST /a HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
        let response = bytes("HTTP/1.1 200 OK\r\n\(lines)\r\n")
        for cut in 0..<request.count { Self.check(read(request, pieces: [cut]).0, violation, request.count, "\(lines) cut at \(cut)") }
        for cut in 0..<response.count { Self.check(Self.readResponse(response, cut), violation, response.count, "\(lines) cut at \(cut)") }
    }

    /// Where a line breaks two rules, the one that shows first depends on the cut; its status does not.
    private static func check(_ outcome: HeadOutcome, _ violation: HTTPViolation?, _ length: Int, _ place: String) {
        switch (outcome, violation) {
        case (.complete(let found), nil): #expect(found == length, "\(place.debugDescription)")
        case (.violation(let found), let expected?): #expect(found.requestStatus == expected.requestStatus, "\(place.debugDescription)")
        default: Issue.record("\(outcome) for \(place.debugDescription)")
        }
    }

    private static func readResponse(_ bytes: [UInt8], _ cut: Int) -> HeadOutcome {
        var parser = ResponseHeadParser(limits: HeadLimits())
        for end in [cut, bytes.count] {
            do {
                let length = try bytes[..<end].withUnsafeBytes { bytes throws(HTTPViolation) in
                    try parser.parse(bytes, isAnswerToHead: false)
                }
                if let length { return .complete(length) }
            } catch {
                return .violation(error)
            }
        }
        return .incomplete
    }
}

@Suite struct UpgradeTests {
    @Test func `an upgrade is not offered: the request is answered without, and the connection stays HTTP`() async throws {
        let upstream = try await ScriptedUpstream.start()
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(
                get("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
            )
            #expect(try await connection.response().status == 200)
            #expect(upstream.requests.last?.field("Upgrade") == nil)
            #expect(upstream.requests.last?.field("Connection") == nil)
            try await connection.send(get())
            #expect(try await connection.response().status == 200)
            await connection.close()
        }
        await upstream.stop()
    }

    @Test func `an upstream that switches protocols all the same is a 502`() async throws {
        let upstream = try await ScriptedUpstream.start { _ in
            [.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")]
        }
        try await withProxy(configuration(upstream.port)) { (proxy: RunningProxy) async throws in
            #expect(try await proxy.ask(get("Connection: Upgrade", "Upgrade: websocket")).status == 502)
            try await eventually("the connection is dropped") { upstream.openConnectionCount == 0 }
        }
        await upstream.stop()
    }
}
