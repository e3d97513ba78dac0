import BalancerKit
import BalancerKitProxy
import Foundation
import NIOCore
import NIOSSL
import ScaleTesting
import Testing

@testable import BalancerKitNginx

/// The same requests to the embedded proxy, to nginx with the text as it stands, and to nginx with the file that is rendered.
struct SameAnswers {
    /// What is compared of an answer.
    struct Answer: Equatable, CustomStringConvertible {
        var status: Int
        var fields: [String]
        /// Of what is no error: nginx has pages of its own for these.
        var body: String

        var description: String { "\(self.status) \(self.fields) \(self.body)" }
    }

    /// One request, with what is added to its head.
    struct Request: Sendable, CustomStringConvertible {
        var text: String
        /// Asked for over TLS; nil is plain HTTP.
        var serverName: String?

        /// - Parameter host: nil sends none, in HTTP/1.0.
        init(_ target: String, method: String = "GET", host: String? = "a.example", _ lines: String...) {
            let version = host == nil ? "1.0" : "1.1"
            let all = (host.map { ["Host: \($0)"] } ?? []) + ["Connection: close"] + lines
            self.text = "\(method) \(target) HTTP/\(version)\r\n" + all.map { $0 + "\r\n" }.joined() + "\r\n"
        }

        var description: String { self.text.split(separator: "\r\n").prefix(2).joined(separator: " | ") }
    }

    /// Compares all answers.
    ///
    /// - Parameters:
    ///   - text: what stands in `http`; `{port}` is where the server listens.
    ///   - fields: of responses, that are compared.
    ///   - isRendered: whether the rendered file is tried as well.
    static func expect(
        _ text: String, _ requests: [Request], fields: [String] = ["Location"], isRendered: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [Answer] {
        try await self.compare(text, isRendered: isRendered, sourceLocation: sourceLocation) { try await Self.ask($0, requests, fields) }
    }

    /// Compares what a conversation with each of them comes to.
    ///
    /// - Parameter converse: is given the port.
    static func compare<Outcome: Equatable & Sendable>(
        _ text: String, isRendered: Bool = true, sourceLocation: SourceLocation = #_sourceLocation,
        _ converse: @Sendable (Int) async throws -> [Outcome]
    ) async throws -> [Outcome] {
        let (first, second) = (try ScriptedUpstream.closedPort(), try ScriptedUpstream.closedPort())
        let written = text.replacingOccurrences(of: "{port}", with: "\(first)")
        let site = try NginxConfiguration(parsing: written.utf8, file: "FILE", context: .http)
        var rendered = site.proxy
        // Each of several processes would take turns of its own.
        (rendered.port, rendered.threads) = (second, 1)
        let renderedText = try NginxFile(rendered).text
        let byNginx = try await RunningNginx.with(written, port: first) { try await converse(first) }
        var embedded = site.proxy
        (embedded.threads, embedded.port) = (1, 0)
        embedded.accessLog = nil
        let byProxy = try await withProxy(embedded) { running in try await converse(running.port) }
        try #require(byProxy.count == byNginx.count, sourceLocation: sourceLocation)
        for index in byNginx.indices {
            #expect(byProxy[index] == byNginx[index], "answer \(index): the embedded proxy, nginx", sourceLocation: sourceLocation)
        }
        guard isRendered else { return byNginx }
        let byRendered = try await RunningNginx.with(renderedText, isWhole: true, port: second) { try await converse(second) }
        try #require(byRendered.count == byNginx.count, sourceLocation: sourceLocation)
        for index in byNginx.indices {
            #expect(
                byRendered[index] == byNginx[index], "answer \(index): nginx with the rendered file, nginx", sourceLocation: sourceLocation)
        }
        return byNginx
    }

    private static func ask(_ port: Int, _ requests: [Request], _ fields: [String]) async throws -> [Answer] {
        var answers: [Answer] = []
        for request in requests {
            let shown = RecordedFacts<String>()
            let connection = try await RawConnection.connect(port) { channel in
                guard let name = request.serverName else { return }
                try channel.pipeline.syncOperations.addHandler(try Self.clientHandler(name, shown))
            }
            try await connection.send(request.text)
            let response = try await connection.response(toHead: request.text.hasPrefix("HEAD"))
            await connection.close()
            let isOwn = response.status >= 300 && response.status != 304
            let compared = fields.filter { !isOwn || !["Content-Type", "Content-Length"].contains($0) }.flatMap { name in
                response.fields(name).map { "\(name): \(Self.comparable($0, port))" }
            }
            let certificate = shown.all.map { "Certificate: \($0)" }
            let isCompared = (200..<300).contains(response.status)
            answers.append(
                Answer(
                    status: response.status, fields: compared + certificate,
                    body: isCompared ? response.body.replacingOccurrences(of: ":\(port)", with: ":PORT") : ""))
        }
        return answers
    }

    /// Ports differ.
    private static func comparable(_ value: String, _ port: Int) -> String {
        value.replacingOccurrences(of: ":\(port)", with: ":PORT")
    }

    /// Takes any certificate, and notes which it was shown.
    private static func clientHandler(_ name: String, _ shown: RecordedFacts<String>) throws -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .noHostnameVerification
        let context = try NIOSSLContext(configuration: configuration)
        return try NIOSSLClientHandler(context: context, serverHostname: name) { certificates, promise in
            let bytes = (try? certificates.first?.toDERBytes()) ?? []
            shown.record("\(bytes.count) bytes, \(bytes.suffix(8))")
            promise.succeed(.certificateVerified)
        }
    }

    /// An upstream that answers with its name, the request line without the version, and some of the fields that it got.
    static func echo(_ name: String, _ fields: [String] = []) async throws -> ScriptedUpstream {
        try await ScriptedUpstream.start { request in
            let values = fields.map { field in "\(field)=\(request.fields(field).joined(separator: "|"))" }
            // nginx speaks HTTP/1.0 to upstreams unless it is told otherwise.
            let line = request.line.split(separator: " ").prefix(2).joined(separator: " ")
            return [.send(ok(([name, line] + values).joined(separator: "\n")))]
        }
    }
}
