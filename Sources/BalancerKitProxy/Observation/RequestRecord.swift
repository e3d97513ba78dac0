import BalancerKit
import Logging
import ScaleCore
import Tracing

/// One request as the access log and the tracer are told of it, once it is over. Made only where one of them listens.
///
/// Of the target it holds the path alone: a query may carry secrets, and goes nowhere but to the upstream, and into files of the access log,
/// which hold what nginx's do.
final class RequestRecord {
    /// A path longer than this is cut in the log.
    private static let shownPathLength = 1024

    private let method: String
    private let path: String
    private let client: String
    private let startedAt: Instant
    private let observers: RequestObservers
    private let files: [AccessLogFile]
    /// What goes into the files.
    private let line: AccessLogLine?
    private let isLogged: Bool
    private let span: (any Span)?
    /// Fields with which the trace goes on to the upstream; they replace the client's own of the same names.
    let traceFields: [TraceField]
    private var isFinished = false

    init(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, _ log: RequestLog, _ observers: RequestObservers,
        at now: Instant
    ) {
        self.files = log.files
        self.line = self.files.isEmpty ? nil : AccessLogLine(head, bytes, from: client)
        self.isLogged = if case .logger = log { true } else { false }
        let path = head.target.map { $0.lacksPath ? 0..<0 : $0.path } ?? 0..<0
        self.method = String(decoding: bytes[head.methodName], as: UTF8.self)
        self.path = path.isEmpty ? "/" : Self.shown(bytes[path.prefix(Self.shownPathLength)])
        self.client = client.text
        self.startedAt = now
        self.observers = observers
        guard let tracer = observers.tracer else {
            self.span = nil
            self.traceFields = []
            return
        }
        let span = TraceContext.begin(head, bytes, name: self.method, tracer)
        span.attributes["http.request.method"] = self.method
        span.attributes["url.path"] = self.path
        span.attributes["client.address"] = self.client
        self.span = span
        self.traceFields = TraceContext.fields(of: span, tracer)
    }

    /// The path as printable ASCII: what else there is, and quotes, are escaped as in a URL. Some of it ends lines, turns text around, or
    /// commands a terminal.
    private static func shown(_ path: Slice<UnsafeRawBufferPointer>) -> String {
        func isPlain(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "\"") }
        guard path.allSatisfy(isPlain) else {
            return String(decoding: path.flatMap { isPlain($0) ? [$0] : PercentEncoding.escaped($0) }, as: UTF8.self)
        }
        return String(decoding: path, as: UTF8.self)
    }

    /// Tells of the request. The first call counts.
    ///
    /// - Parameters:
    ///   - bytes: of the response's body, as far as it went to the client.
    ///   - endpoint: who answered, or was asked last; nil where nobody was.
    ///   - attempts: how many endpoints were asked.
    func finish(status: Int, bytes: Int, endpoint: Endpoint?, attempts: Int, at now: Instant) {
        guard !self.isFinished else { return }
        self.isFinished = true
        self.log(status: status, bytes: bytes, endpoint: endpoint, at: now)
        guard let span else { return }
        span.attributes["http.response.status_code"] = status
        span.attributes["http.response.body.size"] = bytes
        if let endpoint { span.attributes["proxy.upstream"] = endpoint.description }
        if attempts > 1 { span.attributes["http.request.resend_count"] = attempts - 1 }
        if status >= 500 { span.setStatus(SpanStatus(code: .error)) }
        span.end()
    }

    private func log(status: Int, bytes: Int, endpoint: Endpoint?, at now: Instant) {
        if let line {
            let line = line.bytes(status: status, bytes: bytes, at: HTTPDate.second(of: self.observers.time.utcNow()))
            for file in self.files { file.add(line) }
        }
        guard self.isLogged, let accessLog = self.observers.accessLog, self.observers.isLogging else { return }
        let microseconds = self.startedAt.nanoseconds(to: now) / 1000
        accessLog.logger.log(
            level: accessLog.level, "request",
            metadata: [
                "client": "\(self.client)", "method": "\(self.method)", "path": "\(self.path)", "status": "\(status)",
                "bytes": "\(bytes)", "duration_us": "\(microseconds)", "upstream": "\(endpoint.map(\.description) ?? "-")",
            ])
    }
}
