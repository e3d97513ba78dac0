import ScaleCore

@testable import CacheKit

/// What `Invalidator` and `Cache.update` do, without tasks.
extension SimulatedNode {
    /// A row is written, and then a key, its tag or the whole namespace invalidated.
    func writeAndInvalidate(_ key: String) {
        _ = self.world.write(key)
        let target: InvalidationTarget
        switch Int.random(in: 0..<5, using: &self.world.random) {
        case 0, 1: target = .key(key)
        case 2, 3: target = .tag("t-\(key)")
        default: target = .tag("")
        }
        self.invalidate(target, key)
    }

    func invalidate(_ target: InvalidationTarget, _ key: String) {
        var versions = [key: self.world.database[key] ?? 0]
        if target == .tag("") { versions = self.world.database }
        self.world.note("node \(self.id) invalidates \(target)")
        self.attempt([target], again: 1) { isConfirmed in
            if isConfirmed {
                self.world.confirm(versions, fence: self.world.random.next())
            } else {
                self.owe(target, versions)
            }
        }
    }

    /// The caller learns that it is not confirmed.
    private func owe(_ target: InvalidationTarget, _ versions: [String: Int]) {
        self.world.note("node \(self.id) owes \(target)")
        if self.world.settings.store.journalsWhatIsNotConfirmed { self.journal.add([target]) }
        self.promised.merge(versions, uniquingKeysWith: max)
        self.deliverLater()
    }

    private func deliverLater() {
        self.after(.milliseconds(50)) {
            self.settle { if !$0 { self.deliverLater() } }
        }
    }

    /// Delivers what is owed; reads come after that or do without the store.
    func settle(_ done: @escaping (Bool) -> Void) {
        guard !self.journal.isEmpty else { return done(true) }
        let (targets, mark) = self.journal.owed
        self.attempt(targets, again: 0) { isConfirmed in
            if isConfirmed { self.journal.delivered(targets, upTo: mark) }
            done(isConfirmed)
        }
    }

    private func attempt(_ targets: [InvalidationTarget], again: Int, _ done: @escaping (Bool) -> Void) {
        var steps: [() -> Void] = []
        for target in targets {
            switch target {
            case .key(let name):
                steps.append {
                    _ = self.world.withTable { $0.remove(CacheKey(namespace: SimulatedWorld.namespace, name: name), at: self.world.now) }
                }
            case .tag(let name):
                let change = self.tagSteps(name)
                steps += self.world.settings.store.changesSequenceFirst ? change : change.reversed()
            }
        }
        self.world.send(from: self, "invalidate", steps: steps) { isKnown in
            guard !isKnown, again > 0 else { return done(isKnown) }
            self.attempt(targets, again: again - 1, done)
        }
    }

    /// The sequence, then the epoch. What is forgotten is created anew at random, which is the same as changing it.
    private func tagSteps(_ name: String) -> [() -> Void] {
        let tag = CacheTag(namespace: SimulatedWorld.namespace, name: name)
        return [
            { self.world.withTable { $0.tags.forgetSequence(of: $0.space(SimulatedWorld.namespace)) } },
            { self.world.withTable { $0.tags.forget($0.entryKey(tag)) } },
        ]
    }

    // MARK: Write-through

    /// Takes the lease by force, writes the row, commits; and removes the entry unless that was confirmed.
    func update(_ key: String) {
        let storeKey = CacheKey(namespace: SimulatedWorld.namespace, name: key)
        let token = LeaseToken.random(using: &self.world.random)
        let nonce = RecordNonce.random(using: &self.world.random)
        var stamps: [TagStamp] = []
        self.world.note("node \(self.id) updates \(key)")
        self.send(
            "seize",
            {
                self.world.withTable {
                    $0.seize(storeKey, token: token, lease: SimulatedWorld.limit, nonce: nonce, at: self.world.now)
                }
            },
            {
                stamps = self.world.withTable { table in
                    ["", "t-\(key)"].map {
                        TagStamp(name: $0, epoch: table.epoch(of: CacheTag(namespace: SimulatedWorld.namespace, name: $0)))
                    }
                }
            }
        ) { isKnown in
            self.after(self.world.delay(longest: self.world.settings.longestLoad)) {
                let version = self.world.write(key)
                guard isKnown else { return self.invalidate(.key(key), key) }
                self.commit(version, storeKey, token, stamps)
            }
        }
    }

    private func commit(_ version: Int, _ key: CacheKey, _ token: LeaseToken, _ stamps: [TagStamp]) {
        let record = CacheRecord(version: version, tags: stamps, nonce: .random(using: &self.world.random))
        var answer = CommitAnswer.refused
        let life = CacheLife(.seconds(3_600))
        self.after(self.world.delay(longest: self.world.settings.longestLoad / 4)) {
            self.send(
                "commit of the update",
                { answer = self.world.withTable { $0.commit(key, token: token, record: record, life: life, at: self.world.now) } }
            ) { isKnown in
                guard isKnown, answer == .stored else { return self.invalidate(.key(key.name), key.name) }
                self.world.confirm([key.name: version], fence: self.world.random.next())
            }
        }
    }
}
