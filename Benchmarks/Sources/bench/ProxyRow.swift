import ArgumentParser
import BalancerKit
import BalancerKitProxy
import CHTTPLoad
import Foundation
import Harness
import Logging
import ServiceLifecycle
import UnixSignals

/// Our proxy beside nginx with one worker: the same two upstreams, the same load, processor time per request.
enum ProxyRow {
    private static let connections = 64
    private static let seconds = 3

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func measure(rounds: Int) async throws -> [Comparison] {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let ports = (upstreams: [28_081, 28_082], nginx: 28_080, ours: 28_083)
        let upstreams = try NginxProcess.start(in: scratch, name: "upstreams", http: Self.upstreamServers(ports.upstreams))
        defer { upstreams.stop() }
        let nginx = try NginxProcess.start(in: scratch, name: "proxy", http: Self.proxyServer(ports.nginx, to: ports.upstreams))
        defer { nginx.stop() }
        let ours = Process()
        ours.executableURL = Bundle.main.executableURL
        ours.arguments = ["proxy-server", "--port", "\(ports.ours)"] + ports.upstreams.flatMap { ["--upstream", "127.0.0.1:\($0)"] }
        try ours.run()
        defer { ours.terminate() }
        try await Self.waitFor(port: ports.ours)
        try await Self.waitFor(port: ports.nginx)
        let worker = try nginx.worker()
        let pairs = try await interleaved(rounds: rounds) {
            try await Self.microsecondsPerRequest(port: ports.ours, process: ours.processIdentifier)
        } theirs: {
            try await Self.microsecondsPerRequest(port: ports.nginx, process: worker)
        }
        return [
            Comparison(
                name: "HTTP/1.1 proxy, \(Self.connections) connections, 100 B", against: "nginx, one worker", unit: "µs CPU", bound: .max,
                limit: 1.3, rounds: pairs)
        ]
    }

    private static func upstreamServers(_ ports: [Int]) -> String {
        ports.map {
            "server { listen 127.0.0.1:\($0); keepalive_requests 1000000; location / { return 200 '\(String(repeating: "x", count: 100))'; } }"
        }
        .joined(separator: "\n")
    }

    private static func proxyServer(_ port: Int, to upstreams: [Int]) -> String {
        """
        upstream group { \(upstreams.map { "server 127.0.0.1:\($0);" }.joined(separator: " ")) keepalive 256; keepalive_requests 1000000; }
        server {
            listen 127.0.0.1:\(port);
            keepalive_requests 1000000;
            location / {
                proxy_pass http://group;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_set_header Host $host;
                proxy_set_header X-Real-IP $remote_addr;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Forwarded-Proto $scheme;
                proxy_request_buffering off;
            }
        }
        """
    }

    /// Keeps a proxy busy and divides the processor time of its process by the requests.
    private static func microsecondsPerRequest(port: Int, process id: Int32) async throws -> Double {
        guard let before = CPUTime.of(process: id) else { throw Failure(description: "the proxy on port \(port) has ended") }
        var error: UnsafePointer<CChar>?
        let requests = http_load(Int32(port), Int32(Self.connections), Double(Self.seconds), &error)
        guard requests > 0, let after = CPUTime.of(process: id) else {
            throw Failure(description: "the load on port \(port) failed: \(error.map { String(cString: $0) } ?? "no response")")
        }
        return (after - before) / Double(requests) * 1e6
    }

    private static func waitFor(port: Int) async throws {
        for _ in 0..<500 {
            if (try? Shell.run("bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"])) != nil { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw Failure(description: "nothing listens on port \(port)")
    }
}

/// The proxy as a process of its own, as nginx is one.
struct ProxyServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "proxy-server", shouldDisplay: false)

    @Option var port: Int
    @Option var upstream: [String]

    func run() async throws {
        var configuration = ProxyConfiguration(endpoints: try self.upstream.map { try Endpoint(parsing: $0) })
        configuration.port = self.port
        configuration.threads = 1
        configuration.clientKeepAlive.requests = 1_000_000
        for index in configuration.routes.indices {
            guard case .forward(var upstream) = configuration.routes[index].action else { continue }
            upstream.keepAlive.requests = 1_000_000
            configuration.routes[index].action = .forward(upstream)
        }
        let logger = Logger(label: "proxy", factory: { _ in SwiftLogNoOpLogHandler() })
        let proxy = try ReverseProxy(configuration, logger: logger)
        try await ServiceGroup(services: [proxy], gracefulShutdownSignals: [.sigterm], logger: logger).run()
    }
}
