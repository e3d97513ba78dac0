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
