import Metrics
import ScaleCore
import Tracing

/// One call of ``Cache/lookup(for:expiresIn:tags:fence:codec:load:)``: carries out what ``Lookup`` decides.
struct LookupRequest<Value: Codable & Sendable>: Sendable {
    let cache: Cache
    let name: String
    /// `nil`: the value is not to be stored.
    let life: CacheLife?
    /// The call's tags, the namespace's own first.
    let tags: [String]
    let fence: UInt64?
    let mayAddTags: Bool
    let coding: ValueCoding<Value>
    let load: @Sendable (CacheLoadContext) async throws -> Value

    var key: CacheKey { self.cache.key(self.name) }
    var time: TimeSource { self.cache.configuration.time }

    /// What is known in the course of a call.
    private struct Progress {
        var lookup: Lookup
        var random: RandomSource
        var entry = StoredEntry.absent
        /// The entry's value, if it was fresh and could be decoded.
        var value: Value?
    }

    /// What carrying out an action led to.
    private enum Step {
        case next(Lookup.Action)
        case done(CacheResult<Value>)
    }

    func run() async throws -> CacheResult<Value> {
        let configuration = self.cache.configuration
        var progress = Progress(
            lookup: Lookup(fence: self.fence, limit: configuration.loadTimeLimit, poll: configuration.pollInterval),
            random: configuration.random)
        var action = progress.lookup.start(open: self.cache.flights.token(of: self.key))
        while true {
            switch try await self.carryOut(action, &progress) {
            case .next(let next): action = next
            case .done(let result): return result
            }
        }
    }

    private func carryOut(_ action: Lookup.Action, _ progress: inout Progress) async throws -> Step {
        switch action {
        case .read:
            return .next(try await self.readAndJudge(&progress))
        case .readEpochs(let names, let sequence):
            return .next(try await self.readEpochsAndJudge(names, sequence: sequence, &progress))
        case .open(let seen):
            return try await self.openFlight(seen, &progress)
        case .join(let token):
            return try await self.joinFlight(token)
        case .endLease(let token):
            try? await self.cache.store.abandon(self.key, token: token)
            return .next(.read)
        case .wait(let duration):
            try await self.time.sleep(for: duration)
            return .next(.read)
        case .loadAlone:
            return .done(CacheResult(value: try await self.runLoader(CacheLoadContext()), outcome: .loaded))
        case .loadInOutage:
            return .done(try await self.loadInOutage())
        case .finish(let isHit):
            guard let value = progress.value else { return .next(.loadAlone) }
            guard isHit else { return .done(self.joined(value)) }
            self.cache.metrics.hits.increment()
            return .done(CacheResult(value: value, outcome: .hit))
        case .failWrongKind:
            throw CacheError.counterReadAsValue(key: self.name)
        }
    }

    private func openFlight(_ seen: Sighting, _ progress: inout Progress) async throws -> Step {
        let outcome = try await self.open(seen, progress.lookup.epochs)
        switch outcome {
        case .value(let object):
            guard let value = object.value(as: Value.self) else { return .next(.loadAlone) }
            return .done(CacheResult(value: value, outcome: .loaded))
        case .failed(let error):
            throw error
        case .storeFailed:
            return .next(progress.lookup.storeFailed())
        case .notGranted(.held(let holder, let remaining)):
            let own = self.cache.flights.load(holder)
            return .next(
                progress.lookup.wasHeld(by: holder, remaining: remaining, own: own, at: self.time.now(), random: &progress.random))
        case .notGranted:
            return .next(progress.lookup.hasChanged())
        }
    }

    private func joinFlight(_ token: LeaseToken) async throws -> Step {
        guard !LoadTrail.current.contains(.lease(token)) else { throw CacheError.recursiveLoad(key: self.name) }
        let outcome = try await self.cache.flights.join(token)
        switch outcome {
        case .value(let object):
            guard let value = object.value(as: Value.self) else { return .next(.read) }
            return .done(self.joined(value))
        case .failed(let error):
            throw error
        case .notGranted, .storeFailed, nil:
            return .next(.read)
        }
    }

    /// One load for all callers of this node that the store has failed.
    private func loadInOutage() async throws -> CacheResult<Value> {
        let flight = self.cache.outage.flight(for: self.key, as: Value.self, at: self.time.now())
        guard !LoadTrail.current.contains(.outage(flight)) else { throw CacheError.recursiveLoad(key: self.name) }
        let (object, role) = try await self.cache.outage.outcome(of: flight) {
            try await LoadTrail.within(.outage(flight)) {
                .make(try await self.runLoader(CacheLoadContext()), encodedSize: 0)
            }
        }
        guard let value = object.value(as: Value.self) else {
            return CacheResult(value: try await self.runLoader(CacheLoadContext()), outcome: .loaded)
        }
        switch role {
        case .started: return CacheResult(value: value, outcome: .loaded)
        case .joined: return self.joined(value)
        }
    }

    private func joined(_ value: Value) -> CacheResult<Value> {
        self.cache.metrics.misses.increment()
        self.cache.metrics.joins.increment()
        return CacheResult(value: value, outcome: .joined)
    }

    func runLoader(_ context: CacheLoadContext) async throws -> Value {
        self.cache.metrics.misses.increment()
        self.cache.metrics.loads.increment()
        return try await withSpan("cache.load") { span in
            span.attributes["cache.namespace"] = self.cache.namespace
            return try await self.load(context)
        }
    }

    // MARK: Reading

    private func readAndJudge(_ progress: inout Progress) async throws -> Lookup.Action {
        do {
            try await self.cache.invalidator.settle()
            progress.lookup.readBegins(at: self.time.now())
            let reading = try await self.cache.store.read([self.key], epochs: self.cache.storeTags(self.tags))
            progress.lookup.learned(epochs: Dictionary(self.tags, reading.epochs))
            progress.entry = reading.entries.first ?? .absent
        } catch {
            return try self.readFailed(error, &progress)
        }
        return self.judge(&progress)
    }

    private func readEpochsAndJudge(
        _ names: [String], sequence: Bool, _ progress: inout Progress
    ) async throws -> Lookup.Action {
        do {
            let reading = try await self.cache.store.read([], epochs: self.cache.storeTags(names))
            let noted = sequence ? try await self.cache.store.sequence(of: self.cache.namespace) : nil
            progress.lookup.learned(epochs: Dictionary(names, reading.epochs), sequence: noted)
        } catch {
            return try self.readFailed(error, &progress)
        }
        return self.judge(&progress)
    }

    private func readFailed(_ error: any Error, _ progress: inout Progress) throws -> Lookup.Action {
        if error is CancellationError { throw error }
        self.cache.storeFailed(error, verb: "read")
        return progress.lookup.storeFailed()
    }

    private func judge(_ progress: inout Progress) -> Lookup.Action {
        let now = self.time.utcNow().millisecondsSinceEpoch
        var sight = Sight.judge(progress.entry, epochs: progress.lookup.epochs, nowMilliseconds: now)
        if case .fresh(let record) = sight {
            progress.value = self.coding.decode(record)
            // A value of another type or schema, or one that cannot be decoded, is replaced through the same lease as any other.
            if progress.value == nil { sight = .outdated(record) }
        }
        var own: OwnLoad?
        if case .stale(_, let holder?) = sight { own = self.cache.flights.load(holder) }
        return progress.lookup.saw(sight, own: own, at: self.time.now(), random: &progress.random)
    }
}
