import ScaleCore

@testable import CacheKit

/// One call of a reader: carries out what `Lookup` and `Fill` decide, as `LookupRequest` does.
///
/// Key `a` is tagged by its caller, key `b` by its loader.
final class SimulatedRead: CustomStringConvertible {
    let node: SimulatedNode
    let key: String
    let began: Instant
    let mustSee: Int
    let isFenced: Bool
    private let number: Int
    private let fence: UInt64?
    private let done: (Int?, Bool) -> Void
    private var lookup: Lookup
    private var entry = StoredEntry.absent

    private var world: SimulatedWorld { self.node.world }
    private var storeKey: CacheKey { CacheKey(namespace: SimulatedWorld.namespace, name: self.key) }
    private var mayAddTags: Bool { self.key == "b" }
    private var tags: [String] { self.mayAddTags ? [""] : ["", "t-a"] }
    private var allTags: [String] { ["", "t-\(self.key)"] }

    var description: String { "read \(self.number) of \(self.key) on node \(self.node.id)\(self.isFenced ? " with a fence" : "")" }

    /// - Parameter done: gets the version, `nil` when the loader failed, and whether it was a hit.
    init(_ key: String, on node: SimulatedNode, number: Int, fence: UInt64?, done: @escaping (Int?, Bool) -> Void = { _, _ in }) {
        self.node = node
        self.key = key
        self.number = number
        self.fence = fence
        self.done = done
        self.isFenced = fence != nil
        self.began = node.world.now
        self.mustSee = node.world.mustSee(key, on: node)
        self.lookup = Lookup(
            fence: fence, limit: SimulatedWorld.limit, poll: SimulatedWorld.poll, rules: node.world.settings.rules)
    }

    func start() {
        self.world.note("\(self) begins")
        self.perform(self.lookup.start(open: self.node.board.token(of: self.storeKey)))
    }

    private func finish(_ version: Int, joined: Bool = false, isHit: Bool = false) {
        self.world.ended(self, with: version, joined: joined)
        self.done(version, isHit)
    }

    private func perform(_ action: Lookup.Action) {
        switch action {
        case .read: self.settleAndRead()
        case .readEpochs(let names, let sequence): self.readEpochs(names, sequence)
        case .open(let seen): self.open(seen)
        case .join(let token): self.join(token)
        case .endLease(let token): self.node.send("abandon", self.abandoning(token)) { _ in self.perform(.read) }
        case .wait(let duration): self.node.after(duration) { self.perform(.read) }
        case .loadAlone, .loadInOutage:
            self.load { version in
                guard let version else { return self.done(nil, false) }
                self.finish(version)
            }
        case .finish(let isHit):
            guard case .record(let record) = self.entry, let version = record.version else { return self.perform(.loadAlone) }
            self.finish(version, isHit: isHit)
        case .failWrongKind: self.world.violate("\(self) met a counter")
        }
    }

    // MARK: Reading

    private func settleAndRead() {
        self.node.settle { isSettled in
            guard isSettled else { return self.perform(self.lookup.storeFailed()) }
            self.read()
        }
    }

    private func read() {
        self.lookup.readBegins(at: self.world.now)
        var epochs: [ExactName: TagEpoch?] = [:]
        self.node.send(
            "read",
            { self.entry = self.world.withTable { $0.read(self.storeKey, at: self.world.now, utc: self.world.utc) } },
            { for tag in self.tags { epochs[name: tag] = .some(self.epochIfKnown(tag)) } }
        ) { isKnown in
            guard isKnown else { return self.perform(self.lookup.storeFailed()) }
            self.lookup.learned(epochs: epochs)
            self.judge()
        }
    }

    private func readEpochs(_ names: [String], _ wantsSequence: Bool) {
        var epochs: [ExactName: TagEpoch?] = [:]
        var sequence: UInt64?
        self.node.send(
            "read epochs",
            { for name in names { epochs[name: name] = .some(self.epochIfKnown(name)) } },
            { if wantsSequence { sequence = self.world.withTable { $0.sequence(of: SimulatedWorld.namespace) } } }
        ) { isKnown in
            guard isKnown else { return self.perform(self.lookup.storeFailed()) }
            self.lookup.learned(epochs: epochs, sequence: sequence)
            self.judge()
        }
    }

    private func judge() {
        let sight = Sight.judge(self.entry, epochs: self.lookup.epochs, nowMilliseconds: self.world.utc.millisecondsSinceEpoch)
        var own: OwnLoad?
        if case .stale(_, let holder?) = sight { own = self.node.board.load(holder) }
        self.perform(self.lookup.saw(sight, own: own, at: self.world.now, random: &self.world.random))
    }

    private func epochIfKnown(_ name: String) -> TagEpoch? {
        self.world.withTable { $0.epochIfKnown(of: CacheTag(namespace: SimulatedWorld.namespace, name: name)) }
    }

    // MARK: Waiting

    private func join(_ token: LeaseToken) {
        guard let waiter = self.node.board.join(token) else { return self.perform(.read) }
        self.world.note("\(self) joins")
        self.node.waiters[waiter] = { end in
            switch end {
            case .value(let version): self.finish(version, joined: true)
            case .failed: self.done(nil, false)
            case .notGranted: self.perform(.read)
            }
        }
    }

    // MARK: Loading

    private func open(_ seen: Sighting) {
        let start = self.world.now
        var early: [ExactName: TagEpoch] = [:]
        for tag in self.tags { if case .some(.some(let epoch)) = self.lookup.epochs[name: tag] { early[name: tag] = epoch } }
        let missing = self.tags.filter { early[name: $0] == nil }
        guard !missing.isEmpty else { return self.takeOff(seen, early, start) }
        self.node.send("epochs", { early.merge(self.epochs(of: missing)) { known, _ in known } }) { isKnown in
            guard isKnown else { return self.perform(self.lookup.storeFailed()) }
            self.takeOff(seen, early, start)
        }
    }

    private func takeOff(_ seen: Sighting, _ early: [ExactName: TagEpoch], _ start: Instant) {
        let token = LeaseToken.random(using: &self.world.random)
        let load = OwnLoad(
            key: self.storeKey, epochs: early, mayAddTags: self.mayAddTags, fence: self.fence, sequence: nil,
            leaseEnd: start.advanced(by: SimulatedWorld.limit))
        let waiter = self.node.board.open(token, load: load)
        self.node.waiters[waiter] = { end in
            switch end {
            case .value(let version): self.finish(version)
            case .failed: self.done(nil, false)
            case .notGranted(.held(let holder, let remaining)):
                self.perform(
                    self.lookup.wasHeld(
                        by: holder, remaining: remaining, own: self.node.board.load(holder), at: self.world.now,
                        random: &self.world.random))
            case .notGranted: self.perform(self.lookup.hasChanged())
            }
        }
        self.begin(token, seen, Fill(load: load, life: CacheLife(.seconds(3_600)), rules: self.world.settings.rules))
    }

    private func begin(_ token: LeaseToken, _ seen: Sighting, _ fill: Fill) {
        var fill = fill
        var answer = BeginAnswer.changed
        let nonce = RecordNonce.random(using: &self.world.random)
        self.node.send(
            "begin",
            {
                answer = self.world.withTable {
                    $0.begin(self.storeKey, seen: seen, token: token, lease: SimulatedWorld.limit, nonce: nonce, at: self.world.now)
                }
            }
        ) { isKnown in
            guard isKnown else { return self.giveUp(token) }
            guard answer == .granted else { return self.node.end(token, .notGranted(answer)) }
            switch fill.granted(at: self.world.now) {
            case .noteSequence: self.noteSequence(token, fill)
            default: self.fly(token, fill)
            }
        }
    }

    private func noteSequence(_ token: LeaseToken, _ fill: Fill) {
        var fill = fill
        var sequence: UInt64 = 0
        self.node.send("sequence", { sequence = self.world.withTable { $0.sequence(of: SimulatedWorld.namespace) } }) { isKnown in
            guard isKnown else { return self.giveUp(token) }
            self.node.board.note(sequence: sequence, for: token)
            _ = fill.noted(sequence: sequence, at: self.world.now)
            self.fly(token, fill)
        }
    }

    /// The store failed at begin: the lease is given back, and the value loaded without one.
    private func giveUp(_ token: LeaseToken) {
        self.node.send("abandon", self.abandoning(token)) { _ in }
        _ = self.node.board.end(token).map { self.node.waiters.removeValue(forKey: $0) }
        self.perform(self.lookup.storeFailed())
    }

    private func fly(_ token: LeaseToken, _ fill: Fill) {
        self.world.note("\(self) loads")
        self.load { version in
            guard let version else {
                return self.node.send("abandon", self.abandoning(token)) { _ in self.node.end(token, .failed) }
            }
            var fill = fill
            self.keep(version, token, fill.loaded(tags: self.allTags, at: self.world.now), fill)
        }
    }

    private func keep(_ version: Int, _ token: LeaseToken, _ action: Fill.Action, _ fill: Fill) {
        switch action {
        case .fetchEpochs(let names, let wantsSequence):
            var (epochs, sequence): ([ExactName: TagEpoch], UInt64?) = ([:], nil)
            self.node.send(
                "epochs", { epochs = self.epochs(of: names) },
                { if wantsSequence { sequence = self.world.withTable { $0.sequence(of: SimulatedWorld.namespace) } } }
            ) { isKnown in
                var fill = fill
                guard isKnown else { return self.keep(version, token, .abandon, fill) }
                let next = fill.learned(epochs: epochs, sequence: sequence)
                self.keep(version, token, next, fill)
            }
        case .commit(let stamps, let life):
            let record = CacheRecord(version: version, tags: stamps, nonce: .random(using: &self.world.random))
            self.node.send("commit \(version)", { self.world.commit(self.storeKey, token, record, life) }) { _ in
                self.node.end(token, .value(version))
            }
        case .abandon, .noteSequence, .load:
            self.node.send("abandon", self.abandoning(token)) { _ in self.node.end(token, .value(version)) }
        }
    }

    private func abandoning(_ token: LeaseToken) -> () -> Void {
        { self.world.withTable { $0.abandon(self.storeKey, token: token, at: self.world.now) } }
    }

    private func epochs(of names: [String]) -> [ExactName: TagEpoch] {
        self.world.withTable { table in
            var epochs: [ExactName: TagEpoch] = [:]
            for name in names { epochs[name: name] = table.epoch(of: CacheTag(namespace: SimulatedWorld.namespace, name: name)) }
            return epochs
        }
    }

    /// Runs the loader, which reads the database somewhere on its way; `nil` when it fails.
    private func load(_ done: @escaping (Int?) -> Void) {
        let longest = self.world.settings.longestLoad / 2
        self.node.after(self.world.delay(longest: longest)) {
            let version = self.world.database[self.key] ?? 0
            let fails = !self.world.isCalm && self.world.chance(4)
            self.node.after(self.world.delay(longest: longest)) { done(fails ? nil : version) }
        }
    }
}

extension SimulatedWorld {
    /// Commit as the store does it, or as one does that does not look at the token.
    func commit(_ key: CacheKey, _ token: LeaseToken, _ record: CacheRecord, _ life: CacheLife) {
        self.withTable { table in
            if self.settings.store.comparesTokens {
                _ = table.commit(key, token: token, record: record, life: life, at: self.now)
            } else {
                table.write(StoreWrite(key: key, record: record, life: life), at: self.now)
            }
        }
        self.checkStore()
    }
}
