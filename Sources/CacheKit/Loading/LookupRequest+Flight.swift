import ScaleCore

/// A flight: begin, load, commit, in a task of its own. Carries out what ``Fill`` decides.
extension LookupRequest {
    /// Opens a flight and waits for its end.
    func open(_ seen: Sighting, _ known: [ExactName: TagEpoch?]) async throws -> FlightOutcome {
        var random = self.cache.configuration.random
        let token = LeaseToken.random(using: &random)
        let start = self.time.now()
        let epochs: [ExactName: TagEpoch]
        do {
            epochs = try await self.earlyEpochs(known)
        } catch {
            if error is CancellationError { throw error }
            self.cache.storeFailed(error, verb: "epoch")
            return .storeFailed
        }
        let load = OwnLoad(
            key: self.key, epochs: epochs, mayAddTags: self.mayAddTags, fence: self.fence, sequence: nil,
            leaseEnd: start.advanced(by: self.cache.configuration.loadTimeLimit))
        return try await self.cache.flights.open(token, load: load) {
            await self.fly(token, seen: seen, fill: Fill(load: load, life: self.life))
        }
    }

    /// The epochs of the call's tags as of before the load; those that do not exist are created.
    private func earlyEpochs(_ known: [ExactName: TagEpoch?]) async throws -> [ExactName: TagEpoch] {
        var epochs: [ExactName: TagEpoch] = [:]
        var missing: [String] = []
        for name in self.tags {
            if case .some(.some(let epoch)) = known[name: name] { epochs[name: name] = epoch } else { missing.append(name) }
        }
        return missing.isEmpty ? epochs : epochs.merging(try await self.currentEpochs(missing)) { known, _ in known }
    }

    private func currentEpochs(_ names: [String]) async throws -> [ExactName: TagEpoch] {
        let epochs = try await self.cache.store.epochs(of: self.cache.storeTags(names))
        return Dictionary(names, epochs)
    }

    private func fly(_ token: LeaseToken, seen: Sighting, fill: Fill) async -> FlightOutcome {
        var fill = fill
        if let refusal = await self.begin(token, seen: seen, &fill) { return refusal }
        let context = CacheLoadContext()
        do {
            let value = try await withTaskCancellationHandler {
                try await LoadTrail.within(.lease(token)) { try await self.runLoader(context) }
            } onCancel: {
                // Nobody waits any more. Whoever comes now need not wait for a loader that takes its time to notice.
                self.abandonLater(token)
            }
            return try await self.keep(value, token: token, added: context.addedTags, fill)
        } catch {
            await self.giveBack(token)
            return .failed(error)
        }
    }

    /// Takes the lease; an outcome when there is nothing to load.
    private func begin(_ token: LeaseToken, seen: Sighting, _ fill: inout Fill) async -> FlightOutcome? {
        do {
            let lease = self.cache.configuration.loadTimeLimit
            let answer = try await self.cache.store.begin(self.key, seen: seen, token: token, lease: lease)
            guard answer == .granted else { return .notGranted(answer) }
            if fill.granted(at: self.time.now()) == .noteSequence {
                let sequence = try await self.cache.store.sequence(of: self.cache.namespace)
                self.cache.flights.note(sequence: sequence, for: token)
                _ = fill.noted(sequence: sequence, at: self.time.now())
            }
            return nil
        } catch {
            // Whether the lease was granted is not known, so it is given back.
            self.abandonLater(token)
            if Task.isCancelled { return .failed(CancellationError()) }
            self.cache.storeFailed(error, verb: "begin")
            return .storeFailed
        }
    }

    /// Stores a loaded value if it may be stored. Throws for values that no store of this kind could take.
    private func keep(_ value: Value, token: LeaseToken, added: [String], _ fill: Fill) async throws -> FlightOutcome {
        var fill = fill
        let (flags, body) = try self.coding.encode(value, key: self.name)
        let outcome = FlightOutcome.value(.make(value, encodedSize: body.size))
        let names = try self.cache.checkedTags(self.tags.filter { !$0.isEmpty } + added)
        do {
            var action = fill.loaded(tags: names, at: self.time.now())
            while true {
                switch action {
                case .fetchEpochs(let missing, let sequence):
                    let epochs = try await self.currentEpochs(missing)
                    let now = sequence ? try await self.cache.store.sequence(of: self.cache.namespace) : nil
                    action = fill.learned(epochs: epochs, sequence: now)
                case .abandon, .noteSequence, .load:
                    await self.giveBack(token)
                    return outcome
                case .commit(let stamps, let life):
                    let record = CacheRecord(
                        flags: flags, nonce: self.cache.newNonce(), schema: self.coding.schema, tags: stamps, body: body)
                    _ = try await self.cache.store.commit(self.key, token: token, record: record, life: life)
                    return outcome
                }
            }
        } catch let error as CacheError where error.code == .valueTooLarge {
            throw error
        } catch {
            self.abandonLater(token)
            self.cache.storeFailed(error, verb: "commit")
            return outcome
        }
    }

    /// Gives the lease back before the flight ends, whether or not its task is cancelled: who comes next finds no lease to wait for.
    private func giveBack(_ token: LeaseToken) async {
        let store = self.cache.store
        let key = self.key
        await Task { try? await store.abandon(key, token: token) }.value
    }

    /// Gives the lease back while nobody waits for that: the store has just failed, and may take its time.
    private func abandonLater(_ token: LeaseToken) {
        let store = self.cache.store
        let key = self.key
        Task { try? await store.abandon(key, token: token) }
    }
}

/// The loads inside which the current task runs: a loader that asked for its own key would wait for itself.
enum LoadTrail {
    enum Load: Hashable, Sendable {
        case lease(LeaseToken)
        case outage(OutageLoads.Flight)
    }

    @TaskLocal static var current: Set<Load> = []

    static func within<Result>(_ load: Load, _ body: () async throws -> Result) async rethrows -> Result {
        try await Self.$current.withValue(Self.current.union([load]), operation: body)
    }
}
