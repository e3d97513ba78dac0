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
    let isFenced: Bool
    let mayAddTags: Bool
    let coding: ValueCoding<Value>
    let load: @Sendable (CacheLoadContext) async throws -> Value

    private var key: CacheKey { self.cache.key(self.name) }
    private var time: TimeSource { self.cache.configuration.time }

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
            lookup: Lookup(isFenced: self.isFenced, limit: configuration.loadTimeLimit, poll: configuration.pollInterval),
            random: configuration.random)
        var action = Lookup.Action.read
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
            return .done(try await self.loadAlone())
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
        case .notGranted(.held(let holder, let remaining)):
            let own = self.cache.flights.load(holder)
            return .next(
                progress.lookup.wasHeld(by: holder, remaining: remaining, own: own, at: self.time.now(), random: &progress.random))
        case .notGranted:
            return .next(progress.lookup.hasChanged())
        }
    }

    private func joinFlight(_ token: LeaseToken) async throws -> Step {
        guard !LoadTrail.current.contains(token) else { throw CacheError.recursiveLoad(key: self.name) }
        let outcome = try await self.cache.flights.join(token)
        switch outcome {
        case .value(let object):
            guard let value = object.value(as: Value.self) else { return .next(.read) }
            return .done(self.joined(value))
        case .failed(let error):
            throw error
        case .notGranted, nil:
            return .next(.read)
        }
    }

    private func joined(_ value: Value) -> CacheResult<Value> {
        self.cache.metrics.misses.increment()
        self.cache.metrics.joins.increment()
        return CacheResult(value: value, outcome: .joined)
    }

    // MARK: Reading

    private func readAndJudge(_ progress: inout Progress) async throws -> Lookup.Action {
        do {
            try await self.cache.invalidator.settle()
            progress.lookup.readBegins(at: self.time.now())
            let reading = try await self.cache.store.read([self.key], epochs: self.cache.storeTags(self.tags))
            progress.lookup.learned(epochs: Dictionary(zip(self.tags, reading.epochs)) { first, _ in first })
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
            progress.lookup.learned(epochs: Dictionary(zip(names, reading.epochs)) { first, _ in first }, sequence: noted)
        } catch {
            return try self.readFailed(error, &progress)
        }
        return self.judge(&progress)
    }

    private func readFailed(_ error: any Error, _ progress: inout Progress) throws -> Lookup.Action {
        if error is CancellationError { throw error }
        self.cache.storeFailed(error, verb: "read")
        return progress.lookup.readFailed()
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

    // MARK: Loading

    private func open(_ seen: Sighting, _ known: [String: TagEpoch?]) async throws -> FlightOutcome {
        var random = self.cache.configuration.random
        let token = LeaseToken.random(using: &random)
        let lease = self.cache.configuration.loadTimeLimit
        let start = self.time.now()
        let stamps: [String: TagEpoch]
        do {
            stamps = try await self.stamps(known)
        } catch {
            if error is CancellationError { throw error }
            self.cache.storeFailed(error, verb: "epoch")
            let result = try await self.loadAlone()
            return .value(self.object(result.value))
        }
        let load = OwnLoad(
            key: self.key, epochs: stamps, mayAddTags: self.mayAddTags, sequence: nil, leaseEnd: start.advanced(by: lease))
        return try await self.cache.flights.open(token, load: load) {
            await self.fly(token, seen: seen, stamps: stamps, leaseEnd: load.leaseEnd)
        }
    }

    /// The epochs of the call's tags as of before the load; those that do not exist are created.
    private func stamps(_ known: [String: TagEpoch?]) async throws -> [String: TagEpoch] {
        var stamps: [String: TagEpoch] = [:]
        var missing: [String] = []
        for name in self.tags {
            if case .some(.some(let epoch)) = known[name] { stamps[name] = epoch } else { missing.append(name) }
        }
        if !missing.isEmpty {
            let created = try await self.cache.store.epochs(of: self.cache.storeTags(missing))
            for (name, epoch) in zip(missing, created) { stamps[name] = epoch }
        }
        return stamps
    }

    /// What begin led to.
    private enum Beginning {
        /// The lease is this flight's; with the sequence, if it was asked for.
        case leased(sequence: UInt64?)
        /// The store failed: the value is loaded for those who wait and not stored.
        case unleased
        case ended(FlightOutcome)
    }

    /// Begin, load, commit: what a flight does, in its own task.
    private func fly(_ token: LeaseToken, seen: Sighting, stamps: [String: TagEpoch], leaseEnd: Instant) async -> FlightOutcome {
        let beginning = await self.begin(token, seen: seen)
        let began = self.time.now()
        switch beginning {
        case .ended(let outcome):
            return outcome
        case .unleased:
            return await self.loadUnleased()
        case .leased(let sequence):
            return await self.loadLeased(token, stamps: stamps, sequence: sequence, began: began, leaseEnd: leaseEnd)
        }
    }

    private func begin(_ token: LeaseToken, seen: Sighting) async -> Beginning {
        do {
            let lease = self.cache.configuration.loadTimeLimit
            let answer = try await self.cache.store.begin(self.key, seen: seen, token: token, lease: lease)
            guard answer == .granted else { return .ended(.notGranted(answer)) }
            guard self.mayAddTags else { return .leased(sequence: nil) }
            let sequence = try await self.cache.store.sequence(of: self.cache.namespace)
            self.cache.flights.note(sequence: sequence, for: token)
            return .leased(sequence: sequence)
        } catch {
            // Whether the lease was granted is not known, so it is given back.
            self.abandonLater(token)
            if Task.isCancelled { return .ended(.failed(CancellationError())) }
            self.cache.storeFailed(error, verb: "begin")
            return .unleased
        }
    }

    private func loadUnleased() async -> FlightOutcome {
        do {
            return .value(self.object(try await self.runLoader(CacheLoadContext())))
        } catch {
            return .failed(error)
        }
    }

    private func loadLeased(
        _ token: LeaseToken, stamps: [String: TagEpoch], sequence: UInt64?, began: Instant, leaseEnd: Instant
    ) async -> FlightOutcome {
        let context = CacheLoadContext()
        do {
            let value = try await LoadTrail.$current.withValue(LoadTrail.current.union([token])) {
                try await self.runLoader(context)
            }
            return try await self.keep(
                value, token: token, stamps: stamps, added: context.addedTags, sequence: sequence, began: began, leaseEnd: leaseEnd)
        } catch {
            self.abandonLater(token)
            return .failed(error)
        }
    }

    /// Stores a loaded value if it may be stored. Throws for values that no store of this kind could take.
    private func keep(
        _ value: Value, token: LeaseToken, stamps: [String: TagEpoch], added: [String], sequence: UInt64?, began: Instant,
        leaseEnd: Instant
    ) async throws -> FlightOutcome {
        let (flags, body) = try self.coding.encode(value, key: self.name)
        let outcome = FlightOutcome.value(.make(value, encodedSize: body.size))
        let names = try self.cache.checkedTags(self.tags.filter { !$0.isEmpty } + added)
        let now = self.time.now()
        guard let remaining = self.remainingLife(since: began, at: now), now < leaseEnd else {
            self.abandonLater(token)
            return outcome
        }
        do {
            guard let all = try await self.stamps(names, early: stamps, sequence: sequence) else {
                self.abandonLater(token)
                return outcome
            }
            let record = CacheRecord(
                flags: flags, nonce: self.cache.newNonce(), schema: self.coding.schema, tags: all, body: body)
            _ = try await self.cache.store.commit(self.key, token: token, record: record, life: remaining)
        } catch let error as CacheError where error.code == .valueTooLarge {
            throw error
        } catch {
            self.abandonLater(token)
            self.cache.storeFailed(error, verb: "commit")
        }
        return outcome
    }

    /// The epochs to stamp. For tags that the loader added: fetched now, and good only if the sequence, read after them, has not moved since
    /// before the loader ran. `nil` when it has.
    private func stamps(_ names: [String], early: [String: TagEpoch], sequence: UInt64?) async throws -> [TagStamp]? {
        var epochs = early
        let added = names.filter { early[$0] == nil }
        if !added.isEmpty {
            let current = try await self.cache.store.epochs(of: self.cache.storeTags(added))
            for (name, epoch) in zip(added, current) { epochs[name] = epoch }
            let now = try await self.cache.store.sequence(of: self.cache.namespace)
            guard now == sequence else { return nil }
        }
        return names.compactMap { name in epochs[name].map { TagStamp(name: name, epoch: $0) } }
    }

    /// What is left of the life after the load; `nil` when nothing is, or nothing was to be stored.
    private func remainingLife(since began: Instant, at now: Instant) -> CacheLife? {
        guard let life else { return nil }
        guard let fresh = life.fresh else { return life }
        let remaining = fresh - max(began.duration(to: now), .zero)
        return remaining > .zero ? CacheLife(remaining) : nil
    }

    private func loadAlone() async throws -> CacheResult<Value> {
        CacheResult(value: try await self.runLoader(CacheLoadContext()), outcome: .loaded)
    }

    private func runLoader(_ context: CacheLoadContext) async throws -> Value {
        self.cache.metrics.misses.increment()
        self.cache.metrics.loads.increment()
        return try await withSpan("cache.load") { span in
            span.attributes["cache.namespace"] = self.cache.namespace
            return try await self.load(context)
        }
    }

    private func object(_ value: Value) -> CachedObject { .make(value, encodedSize: 0) }

    /// Gives the lease back whatever becomes of this task.
    private func abandonLater(_ token: LeaseToken) {
        let store = self.cache.store
        let key = self.key
        Task { try? await store.abandon(key, token: token) }
    }
}

/// The loads inside which the current task runs.
private enum LoadTrail {
    @TaskLocal static var current: Set<LeaseToken> = []
}
