internal import Logging
internal import ScaleCore

/// The link to the watchers: it is opened, served, and opened again when it is lost.
extension WorkerMonitor {
    private static let reconnect = RetryPolicy(
        baseDelay: .milliseconds(200), maximumDelay: .seconds(10), jitter: .equal, maximumAttempts: nil)
    /// How long the end of a worker waits for its last words to be taken.
    private static let farewell: Duration = .seconds(2)

    /// Opens links and serves them, while `body` runs; then says good-bye, for which it waits a moment at most.
    func watch(during body: () async throws -> Void) async throws {
        let ended = OneShot<Void>()
        let loop = Task {
            await self.serve()
            ended.set(())
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        let time = self.time.utcNow()
        let hasLink = self.state.withLock { state in
            state.engine.goesOffline(at: time)
            state.isEnding = true
            return state.link != nil
        }
        self.deadlinesChanged()
        self.changed.raise()
        if hasLink {
            // In a task of its own, since this one may be cancelled.
            let limit = Task {
                try? await self.time.sleep(for: Self.farewell)
                ended.set(())
            }
            await ended.value()
            limit.cancel()
        }
        let link = self.state.withLock { state in
            state.isClosed = true
            defer { state.link = nil }
            return state.link
        }
        loop.cancel()
        self.changed.raise()
        // A server that takes nothing may hold up even this; nobody waits for it.
        if let link { Task { await link.close() } }
        try result.get()
    }

    /// The loop: open a link, publish over it until it is lost, wait, and once more.
    private func serve() async {
        var failures = 0
        while let epoch = self.nextEpoch() {
            do {
                let link = try await self.transport.open(self.node.address) { [weak self] event in self?.take(event, epoch: epoch) }
                guard self.isConnected(link, epoch: epoch) else {
                    await link.close()
                    throw QueueError(code: .unavailable, message: "the connection was lost at once")
                }
                if failures > 0 { self.logger.info("watchers are reached again", metadata: ["failures": "\(failures)"]) }
                failures = 0
                await self.publish(over: link, epoch: epoch)
            } catch {
                failures += 1
                // The first one, and then ever more rarely: a name that is in use may stay so for long.
                if failures & (failures - 1) == 0, !self.state.withLock({ $0.isEnding }) {
                    self.logger.warning(
                        "watchers cannot be reached", metadata: ["error": "\(Worker.describe(error))", "failures": "\(failures)"])
                }
            }
            if self.state.withLock({ $0.isEnding }) { return }
            var random = RandomSource.system
            try? await self.time.sleep(for: Self.reconnect.delay(afterFailures: max(1, failures), using: &random))
        }
    }

    private func nextEpoch() -> UInt64? {
        self.state.withLock { state in
            guard !state.isEnding else { return nil }
            state.epoch += 1
            return state.epoch
        }
    }

    /// The link that was opened is the one to use; `false` when it was lost already, or nobody needs it any more.
    private func isConnected(_ link: any MonitorLink, epoch: UInt64) -> Bool {
        let (now, time) = (self.time.now(), self.time.utcNow())
        let isWanted = self.state.withLock { state in
            guard state.epoch == epoch, !state.isEnding else { return false }
            state.link = link
            state.engine.connected(at: now, time)
            return true
        }
        self.deadlinesChanged()
        return isWanted
    }

    /// Publishes what there is and what comes, until the link is lost or the worker has ended and nothing is left.
    private func publish(over link: any MonitorLink, epoch: UInt64) async {
        while true {
            enum Step { case publish([MonitorOutbox.Item]), wait, end }
            let step: Step = self.state.withLock { state in
                guard state.epoch == epoch, state.link != nil, !state.isClosed else { return .end }
                let items = state.engine.nextBatch()
                if !items.isEmpty { return .publish(items) }
                return state.isEnding && state.engine.outbox.isEmpty ? .end : .wait
            }
            switch step {
            case .end:
                await self.end(link, epoch: epoch)
                return
            case .wait:
                await self.changed.wait()
            case .publish(let items):
                let sample = items.contains { if case .worker = $0 { true } else { false } } ? ProcessSample.now() : .zone()
                do {
                    try await link.publish(items.map { self.publication(of: $0, sample) })
                } catch {
                    self.state.withLock { $0.engine.lost(items) }
                    self.take(.lost(Worker.describe(error)), epoch: epoch)
                }
                self.reportDrops()
            }
        }
    }

    private func end(_ link: any MonitorLink, epoch: UInt64) async {
        self.state.withLock { state in
            if state.epoch == epoch { state.link = nil }
        }
        await link.close()
    }

    private func publication(of item: MonitorOutbox.Item, _ sample: ProcessSample) -> MonitorPublication {
        switch item {
        case .worker(let event): self.node.publication(of: [event], sample)
        case .jobs(let events): self.node.publication(of: events, sample)
        case .answer(let publication): publication
        }
    }

    private func reportDrops() {
        let new = self.state.withLock { state in
            defer { state.reportedDrops = state.engine.outbox.dropped }
            return state.engine.outbox.dropped - state.reportedDrops
        }
        guard new > 0 else { return }
        self.metrics.monitorDropped(new)
        self.logger.warning("watchers were not told everything", metadata: ["dropped": "\(new)"])
    }

    // MARK: What comes in

    private func takeAnswer(_ message: Message, epoch: UInt64) {
        guard let answer = MingleAnswer(message) else { return }
        let now = self.time.now()
        self.state.withLock { if $0.epoch == epoch { $0.engine.learn(answer, at: now) } }
    }

    private func take(_ event: MonitorLinkEvent, epoch: UInt64) {
        switch event {
        case .request(let message):
            guard let request = ControlRequest(message) else { return self.takeAnswer(message, epoch: epoch) }
            let (now, time) = (self.time.now(), self.time.utcNow())
            let sample = request.method == "stats" ? ProcessSample.now() : ProcessSample()
            let effects = self.state.withLock { state in
                state.epoch == epoch ? state.engine.request(request, sample, at: now, time) : []
            }
            for effect in effects {
                self.logger.info("a watcher's command", metadata: ["command": "\(effect.word)"])
                self.carryOut(effect)
            }
        case .blocked:
            self.state.withLock { if $0.epoch == epoch { $0.engine.blocked() } }
        case .unblocked:
            self.state.withLock { if $0.epoch == epoch { $0.engine.unblocked() } }
        case .lost(let reason):
            let wasOpen = self.state.withLock { state in
                guard state.epoch == epoch else { return false }
                // Also one that is lost before `open` has returned it.
                state.epoch += 1
                state.engine.disconnected()
                defer { state.link = nil }
                return state.link != nil
            }
            if wasOpen { self.logger.warning("the connection to watchers is lost", metadata: ["reason": "\(reason)"]) }
            self.deadlinesChanged()
        }
        self.changed.raise()
    }
}

extension MonitorEngine.Effect {
    fileprivate var word: String {
        switch self {
        case .terminate: "terminate"
        case .shutdown: "shutdown"
        case .apply: "settings"
        }
    }
}
