import Logging
import ScaleCore
import Tracing

extension Balancer {
    /// Runs `body` with an endpoint, and where it fails and a repeat is safe, again with another one.
    ///
    /// An attempt is repeated when its error shows that the request was not sent, or when the call is idempotent and nothing of the response
    /// has been passed on (see ``FailureClassifier``). A call never tries an endpoint twice, and is bounded by ``NextEndpointPolicy``. A cancelled
    /// call is not repeated, and does not count against its endpoint.
    ///
    /// - Parameters:
    ///   - isIdempotent: whether doing it twice is the same as once (RFC 9110: GET, HEAD, PUT, DELETE, OPTIONS, TRACE).
    ///   - body: one attempt. It ends when the attempt is over, since the endpoint counts as busy until then; it must not let the endpoint escape.
    /// - Returns: what the first successful attempt returned.
    /// - Throws: what the last attempt threw, unchanged; `BalancerError` with the code `noLiveEndpoint` when there was nobody to try at all;
    ///   `CancellationError` when the task was cancelled before the first attempt.
    public func withEndpoint<Value>(
        isIdempotent: Bool = false, _ body: (_ endpoint: Endpoint) async throws -> Value
    ) async throws -> Value {
        try Task.checkCancellation()
        let tracer: any Tracer = self.configuration.tracer ?? InstrumentationSystem.tracer
        return try await tracer.withAnySpan("balancer call", ofKind: .internal) { span in
            span.attributes["balancer.name"] = self.configuration.name
            return try await self.attempts(isIdempotent: isIdempotent, span, body)
        }
    }

    private func attempts<Value>(
        isIdempotent: Bool, _ span: any Span, _ body: (_ endpoint: Endpoint) async throws -> Value
    ) async throws -> Value {
        let began = self.configuration.time.now()
        var history = CallHistory()
        var selection = try self.pickFirst(&history, at: began)
        while true {
            span.note(selection.endpoint, attempts: history.attempts)
            do {
                let value = try await body(selection.endpoint)
                self.report(selection, .success)
                return value
            } catch {
                let isCancelled = Task.isCancelled
                let failure = self.configuration.classifier.classify(error)
                let now = self.report(selection, isCancelled || !failure.countsAgainstEndpoint ? .abandoned : .failure)
                let decision = self.configuration.nextEndpoint.decide(
                    after: failure.progress, isIdempotent: isIdempotent, attempts: history.attempts, elapsed: began.duration(to: now),
                    isCancelled: isCancelled)
                guard case .retry = decision, case .endpoint(let next) = self.pick(&history, at: now) else { throw error }
                self.noteRepeat(from: selection.endpoint, to: next.endpoint)
                selection = next
            }
        }
    }

    private func pickFirst(_ history: inout CallHistory, at now: Instant) throws(BalancerError) -> Selection {
        switch self.pick(&history, at: now) {
        case .endpoint(let selection): return selection
        case .unavailable:
            self.metrics.foundNobody()
            let copy = self.endpoints.withLock { $0 }
            throw copy.noLiveEndpoint(history, at: now, place: self.configuration.name)
        }
    }

    private func pick(_ history: inout CallHistory, at now: Instant) -> Pick {
        let pick = self.endpoints.withLock { $0.pick(&history, at: now) }
        if case .endpoint = pick { self.metrics.began() }
        return pick
    }

    /// Reports an attempt's end, and returns when that was.
    @discardableResult
    private func report(_ selection: Selection, _ outcome: CallOutcome) -> Instant {
        let now = self.configuration.time.now()
        let change = self.endpoints.withLock { $0.report(selection, outcome, at: now) }
        self.metrics.ended(outcome, after: selection.startedAt.duration(to: now))
        if let change { self.note(change, of: selection.endpoint) }
        return now
    }

    private func noteRepeat(from failed: Endpoint, to next: Endpoint) {
        self.metrics.repeated()
        self.configuration.logger.debug(
            "call goes on to another endpoint",
            metadata: ["balancer": "\(self.configuration.name)", "from": "\(failed)", "to": "\(next)"])
    }

    private func note(_ change: HealthChange, of endpoint: Endpoint) {
        let metadata: Logger.Metadata = ["balancer": "\(self.configuration.name)", "endpoint": "\(endpoint)"]
        switch change {
        case .restBegan: self.configuration.logger.warning("endpoint rests after failures", metadata: metadata)
        case .recovered: self.configuration.logger.notice("endpoint answers again", metadata: metadata)
        }
    }
}

extension Span {
    /// Notes the endpoint of the latest attempt, by OpenTelemetry's names, and how many attempts there were.
    fileprivate func note(_ endpoint: Endpoint, attempts: Int) {
        guard self.isRecording else { return }
        switch endpoint.address {
        case .host(let host, let port):
            self.attributes["server.address"] = host
            self.attributes["server.port"] = port
        case .unix(let path):
            self.attributes["server.address"] = path
        }
        self.attributes["balancer.attempts"] = attempts
    }
}
