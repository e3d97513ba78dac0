import BalancerKit
import Logging

/// The proxy's log lines: what was refused and what failed, and who was at the other end; never a byte of a message.
struct ProxyLog: Sendable {
    private let logger: Logger

    init(_ logger: Logger) {
        self.logger = logger
    }

    func rejected(_ violation: HTTPViolation, status: Int, client: ClientAddress) {
        self.logger.info(
            "request refused", metadata: ["reason": "\(violation.rawValue)", "status": "\(status)", "client": "\(client.text)"])
    }

    func timedOut(_ part: StaticString, client: ClientAddress) {
        self.logger.info("client timed out", metadata: ["part": "\(part)", "client": "\(client.text)"])
    }

    func failed(_ failure: UpstreamFailure, _ endpoint: Endpoint, isLast: Bool) {
        self.logger.warning(
            "upstream failed", metadata: ["reason": "\(failure)", "endpoint": "\(endpoint)", "next": isLast ? "none" : "another endpoint"])
    }

    /// The zone is named; the key, which may be a header field's value, is not.
    func limited(_ what: Logger.Message, _ zone: String?, _ level: Logger.Level, _ client: ClientAddress, isDryRun: Bool) {
        self.logger.log(
            level: level, what, metadata: ["zone": "\(zone ?? "-")", "client": "\(client.text)", "dry_run": "\(isDryRun)"])
    }

    func fileFailed(_ client: ClientAddress, errno code: Int32) {
        self.logger.error("a file cannot be read", metadata: ["errno": "\(code)", "client": "\(client.text)"])
    }

    /// Once for each reason, not for each line.
    func accessLogFailed(_ path: String, errno code: Int32) {
        self.logger.error("the access log cannot be written", metadata: ["file": "\(path)", "errno": "\(code)"])
    }

    func accessLogLost(_ path: String, count: Int) {
        self.logger.error("lines of the access log were lost", metadata: ["file": "\(path)", "count": "\(count)"])
    }

    func accessLogKept(after error: ProxyError) {
        self.logger.error("access logs could not all be opened anew", metadata: ["error": "\(error)"])
    }

    func accessLogsOpened() {
        self.logger.notice("access logs were opened anew")
    }

    func handshakeFailed(_ reason: StaticString, client: ClientAddress) {
        self.logger.info("TLS handshake failed", metadata: ["reason": "\(reason)", "client": "\(client.text)"])
    }

    func certificatesLoaded() {
        self.logger.notice("certificates were loaded anew")
    }

    /// What was loaded before stays. The error names the file, and nothing that stands in it.
    func certificatesKept(after error: ProxyError) {
        self.logger.error("new certificates cannot be used, the old ones stay", metadata: ["error": "\(error)"])
    }

    func noUpstream(client: ClientAddress) {
        self.logger.warning("no live upstream", metadata: ["client": "\(client.text)"])
    }

    func lost(_ endpoint: Endpoint) {
        self.logger.warning("upstream broke off in the middle of a response", metadata: ["endpoint": "\(endpoint)"])
    }

    func listening(on address: ProxyAddress) {
        self.logger.info("proxy is listening", metadata: ["address": "\(address)"])
    }

    func stopped(cut count: Int) {
        self.logger.info("proxy has stopped", metadata: ["connections_cut": "\(count)"])
    }
}

extension Logger.Level {
    /// nginx logs what it delays a step below what it rejects.
    var oneStepLower: Logger.Level {
        switch self {
        case .critical: .error
        case .error: .warning
        case .warning: .notice
        case .notice: .info
        case .info: .debug
        case .debug, .trace: .trace
        }
    }
}
