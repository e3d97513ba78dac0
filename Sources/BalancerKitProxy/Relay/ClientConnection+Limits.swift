import BalancerKit
import Logging
import NIOCore
import ScaleCore

// A request on a route with limits: rejected, kept waiting, or carried out.

/// A request that waits for its turn. Its head stays in the inbox, and the parser has it.
struct DelayedRequest {
    let route: PlannedRoute
    let captures: RouteCaptures
    let limits: PlannedLimits
    let headLength: Int
    let record: RequestRecord?
    let until: Instant
}

extension ClientConnection {
    /// Asks the limits on the rate, and goes on to those on connections when the request's turn has come.
    func admit(
        _ route: PlannedRoute, _ captures: RouteCaptures, _ limits: PlannedLimits, headLength: Int, _ record: RequestRecord?,
        at now: Instant
    ) {
        let settings = limits.settings
        let verdict =
            limits.requests.isEmpty
            ? .pass
            : self.worker.plan.limiter.admit(
                limits.requests, keys: self.keys(limits.requests.map(\.key), headLength).map(LimitKey.remembered), at: now)
        switch verdict {
        case .pass: break
        case .delay(let duration):
            self.worker.log.limited(
                "request delayed", limits.requests.first?.name, settings.requestLogLevel.oneStepLower, self.address,
                isDryRun: settings.isRequestDryRun)
            guard settings.isRequestDryRun else {
                let delayed = DelayedRequest(
                    route: route, captures: captures, limits: limits, headLength: headLength, record: record,
                    until: now.advanced(by: duration))
                return self.wait(delayed, for: duration)
            }
        case .reject(let index):
            self.worker.log.limited(
                "too many requests", limits.requests[index].name, settings.requestLogLevel, self.address, isDryRun: settings.isRequestDryRun
            )
            guard settings.isRequestDryRun else {
                return self.refuse(settings.requestStatus, self.parser.head, length: headLength, record, at: now)
            }
        }
        self.enter(route, captures, limits, headLength: headLength, record, at: now)
    }

    private func enter(
        _ route: PlannedRoute, _ captures: RouteCaptures, _ limits: PlannedLimits, headLength: Int, _ record: RequestRecord?,
        at now: Instant
    ) {
        guard !limits.connections.isEmpty else { return self.carryOut(route, captures, headLength: headLength, record, at: now) }
        let settings = limits.settings
        switch self.worker.plan.limiter.enter(limits.connections, keys: self.keys(limits.connections.map(\.key), headLength)) {
        case .success(let lease): self.lease = lease
        case .failure(let rejected):
            self.worker.log.limited(
                "too many connections", limits.connections[rejected.index].name, settings.connectionLogLevel, self.address,
                isDryRun: settings.isConnectionDryRun)
            guard settings.isConnectionDryRun else {
                return self.refuse(settings.connectionStatus, self.parser.head, length: headLength, record, at: now)
            }
        }
        self.carryOut(route, captures, headLength: headLength, record, at: now)
    }

    private func keys(_ keys: [LimitKey], _ headLength: Int) -> [String] {
        let head = self.parser.head
        let filter = self.worker.plan.requestFilter
        return self.port.inbox.withUnsafeReadableBytes { bytes in
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<headLength])
            return keys.map { $0.text(of: head, bytes, from: self.address, filter) }
        }
    }

    // MARK: Waiting

    /// The coarse timer would do; a timer of its own brings the request to its turn in time.
    private func wait(_ delayed: DelayedRequest, for duration: Duration) {
        self.delayed = delayed
        self.receiveDeadline = delayed.until
        self.worker.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(duration.wholeNanoseconds)) { [weak self] in
            self?.delayPassed(at: self?.worker.now() ?? .distantFuture)
        }
    }

    /// Carries the waiting request out if its turn has come.
    func delayPassed(at now: Instant) {
        guard let delayed, delayed.until <= now, self.phase.isExchanging else { return }
        self.delayed = nil
        self.receiveDeadline = .distantFuture
        self.enter(delayed.route, delayed.captures, delayed.limits, headLength: delayed.headLength, delayed.record, at: now)
        self.updateReading()
        // Outside of a read nobody else would look at what is sent ahead of an answer that was given at once.
        self.advance()
    }
}
