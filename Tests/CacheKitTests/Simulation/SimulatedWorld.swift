import ScaleCore
import ScaleTesting

@testable import CacheKit

/// Some nodes, one store, one database, and everything that can go wrong between them, played from a seed.
///
/// It is a discrete-event simulation in one thread: an event happens at a time that the seed chose, and may plan others. The rules that are
/// tested are the kit's own values (`Lookup`, `Fill`, `FlightBoard`, `InvalidationJournal`, and `MemoryTable` as the store); around
/// them stands what their shells do, without tasks. What the database holds are versions, so that the checker can tell old from new.
final class SimulatedWorld {
    /// What a schedule is made of.
    struct Settings: Sendable {
        var rules = LoadingRules()
        var store = StoreRules()
        var nodes = 3
        var actions = 12
        /// Until when actions begin and faults strike, in ms.
        var span = 1_500
        /// How long a message takes at most, in ms; most take far less.
        var longestDelay = 300
        /// How long a loader takes at most, in ms. Longer than a lease, so that some outlive it.
        var longestLoad = 1_400
        /// Of a hundred messages so many do not arrive, are not answered, or arrive after their sender has given up.
        var faults = 8
        /// Of a hundred actions so many are crashes of a node, restarts of the store, and losses at the store.
        var losses = 8
        /// Of a hundred actions so many are database writes that are followed by an invalidation.
        var invalidations = 35
        /// Whether only reads that carry a fence are judged.
        var judgesFencedReadsOnly = false
        /// Whether each node asks again as soon as it has an answer.
        var isCrowded = false
    }

    /// Rules of the store and of invalidation, to be switched off.
    struct StoreRules: Sendable {
        var comparesTokens = true
        var changesSequenceFirst = true
        var drawsEpochsAtRandom = true
        var journalsWhatIsNotConfirmed = true
    }

    static let limit = Duration.milliseconds(1_000)
    static let poll = Duration.milliseconds(5) ... .milliseconds(50)
    static let namespace = "n"
    static let keys = ["a", "b"]

    let settings: Settings
    var random: SeededGenerator
    private(set) var now = Instant(nanoseconds: 0)
    private(set) var table: MemoryTable
    private(set) var storeGeneration = 0
    private(set) var nodes: [SimulatedNode] = []
    private(set) var violations: [String] = []
    /// What happened, if asked for.
    private(set) var trace: [String]?
    /// Faults are over, and so is everything random that is not a delay.
    private(set) var isCalm = false
    /// The next one last.
    private var events: [(due: Instant, body: () -> Void)] = []

    // What the checker knows.
    private(set) var database: [String: Int] = [:]
    private var confirmed: [String: Int] = [:]
    private(set) var latestFence: UInt64?
    /// How many reads have ended with a value.
    private(set) var reads = 0
    private(set) var joins = 0

    init(seed: UInt64, settings: Settings = Settings(), isTracing: Bool = false) {
        self.settings = settings
        self.random = SeededGenerator(seed: seed)
        self.table = Self.emptyTable(&self.random, settings.store)
        self.trace = isTracing ? [] : nil
        self.nodes = (0..<settings.nodes).map { SimulatedNode(id: $0, world: self) }
    }

    private static func emptyTable(_ random: inout SeededGenerator, _ rules: StoreRules) -> MemoryTable {
        let generator = random.split()
        let source = rules.drawsEpochsAtRandom ? RandomSource(generator) : RandomSource(FewNumbers(base: generator))
        return MemoryTable(limits: MemoryLimits(), random: source)
    }

    /// Ends the cycles between world and nodes.
    func tearDown() {
        self.events = []
        self.nodes = []
    }

    // MARK: Events

    func note(_ text: @autoclosure () -> String) {
        self.trace?.append("\(self.now.nanoseconds / 1_000_000) ms: \(text())")
    }

    func violate(_ text: String) {
        self.violations.append(text)
        self.note("VIOLATION: \(text)")
    }

    func after(_ duration: Duration, _ body: @escaping () -> Void) {
        let due = self.now.advanced(by: duration)
        // Events are few, and most new ones come soon; those of one time keep their order.
        var index = self.events.count
        while index > 0, self.events[index - 1].due <= due { index -= 1 }
        self.events.insert((due, body), at: index)
    }

    /// Plays until nothing is planned any more, or a rule is broken.
    func run() {
        self.after(.milliseconds(self.settings.span)) {
            self.isCalm = true
            self.note("calm")
        }
        var steps = 0
        while self.violations.isEmpty, let event = self.events.popLast() {
            steps += 1
            guard steps < 20_000 else { return self.violate("it does not come to rest") }
            self.now = max(self.now, event.due)
            event.body()
        }
    }

    /// `true` in `percent` of a hundred cases.
    func chance(_ percent: Int) -> Bool {
        percent > 0 && Int.random(in: 0..<100, using: &self.random) < percent
    }

    /// Usually short, seldom as long as `longest`; always short when all is calm.
    func delay(longest: Int) -> Duration {
        let longest = self.isCalm ? min(longest, 20) : longest
        let most = self.chance(10) ? longest : max(longest / 20, 1)
        return .microseconds(Int.random(in: 100...(most * 1_000), using: &self.random))
    }

    // MARK: Messages to the store

    /// Sends one verb to the store, as the steps that it is made of there. The reply is `false` when its sender does not learn what
    /// became of it.
    func send(from node: SimulatedNode, _ verb: String, steps: [() -> Void], reply: @escaping (Bool) -> Void) {
        let (nodeGeneration, storeGeneration) = (node.generation, self.storeGeneration)
        let answer: (Bool) -> Void = { isKnown in
            if node.generation == nodeGeneration { reply(isKnown) }
        }
        let longest = self.settings.longestDelay
        switch self.isCalm || !self.chance(self.settings.faults) ? 3 : Int.random(in: 0..<3, using: &self.random) {
        case 0:
            self.note("node \(node.id): \(verb) is lost")
            self.after(self.delay(longest: longest)) { answer(false) }
        case 1:
            self.note("node \(node.id): the reply to \(verb) will be lost")
            self.carryOut(steps[...], storeGeneration) { _ in self.after(self.delay(longest: longest)) { answer(false) } }
        case 2:
            self.note("node \(node.id): \(verb) will arrive late")
            self.after(self.delay(longest: longest)) { answer(false) }
            self.after(.milliseconds(longest)) { self.carryOut(steps[...], storeGeneration) { _ in } }
        default:
            self.carryOut(steps[...], storeGeneration) { isDone in
                self.after(self.delay(longest: longest)) { answer(isDone) }
            }
        }
    }

    /// Each step takes effect at a time of its own; others' steps may come between.
    private func carryOut(_ steps: ArraySlice<() -> Void>, _ generation: Int, _ done: @escaping (Bool) -> Void) {
        guard let step = steps.first else { return done(true) }
        self.after(self.delay(longest: self.settings.longestDelay)) {
            guard generation == self.storeGeneration else { return done(false) }
            step()
            self.carryOut(steps.dropFirst(), generation, done)
        }
    }

    /// One step at the store.
    func withTable<Result>(_ body: (inout MemoryTable) -> Result) -> Result { body(&self.table) }

    // MARK: What befalls the store

    func restartStore() {
        self.note("the store restarts empty")
        self.storeGeneration += 1
        self.table = Self.emptyTable(&self.random, self.settings.store)
    }

    func loseSomething() {
        let key = Self.keys.randomElement(using: &self.random) ?? "a"
        switch Int.random(in: 0..<3, using: &self.random) {
        case 0:
            self.note("the store evicts \(key)")
            _ = self.table.remove(CacheKey(namespace: Self.namespace, name: key), at: self.now)
        case 1:
            self.note("the store evicts the epoch of t-\(key)")
            self.table.tags.forget(self.table.entryKey(CacheTag(namespace: Self.namespace, name: "t-\(key)")))
        default:
            self.note("the store evicts the sequence")
            self.table.tags.forgetSequence(of: self.table.space(Self.namespace))
        }
    }

    // MARK: The database and the checker

    func write(_ key: String) -> Int {
        let version = (self.database[key] ?? 0) + 1
        self.database[key] = version
        self.note("database: \(key) is version \(version)")
        return version
    }

    /// What a read of `key` that begins now must see.
    func mustSee(_ key: String, on node: SimulatedNode) -> Int {
        max(self.confirmed[key] ?? 0, node.promised[key] ?? 0)
    }

    /// An invalidation of these versions has returned.
    func confirm(_ versions: [String: Int], fence: UInt64) {
        self.confirmed.merge(versions, uniquingKeysWith: max)
        self.latestFence = fence
        self.note("confirmed \(versions.sorted { $0.key < $1.key })")
        self.checkStore()
    }

    func ended(_ read: SimulatedRead, with version: Int, joined: Bool) {
        self.reads += 1
        if joined { self.joins += 1 }
        self.note("\(read) gets version \(version)")
        if version < read.mustSee, read.isFenced || !self.settings.judgesFencedReadsOnly {
            self.violate("\(read) got version \(version) of \(read.key) and had to see \(read.mustSee)")
        }
        let took = read.began.duration(to: self.now)
        if took > self.longestCall { self.violate("\(read) took \(took)") }
    }

    /// Waiting for others, one load, and the messages in between.
    private var longestCall: Duration {
        Self.limit + Self.poll.upperBound
            + .milliseconds(2 * self.settings.longestLoad + 12 * max(self.settings.longestDelay, 1))
    }

    /// Nothing older than what was confirmed is stored and usable. To be called when a value was stored, or more was confirmed.
    func checkStore() {
        guard !self.settings.judgesFencedReadsOnly else { return }
        for key in Self.keys {
            guard let version = self.usableVersion(key), version < self.confirmed[key] ?? 0 else { continue }
            self.violate("version \(version) of \(key) is stored and usable after \(self.confirmed[key] ?? 0) was confirmed")
        }
    }

    /// What a read of now would find.
    func usableVersion(_ key: String) -> Int? {
        let entry = self.table.read(CacheKey(namespace: Self.namespace, name: key), at: self.now, utc: self.utc)
        guard case .record(let record) = entry else { return nil }
        var epochs: [ExactName: TagEpoch?] = [:]
        for tag in record.tags {
            epochs[name: tag.name] = .some(self.table.epochIfKnown(of: CacheTag(namespace: Self.namespace, name: tag.name)))
        }
        guard case .fresh(let fresh) = Sight.judge(entry, epochs: epochs, nowMilliseconds: self.utc.millisecondsSinceEpoch) else {
            return nil
        }
        return fresh.version
    }

    var utc: UTCTime { UTCTime(millisecondsSinceEpoch: 1_767_225_600_000).advanced(by: .nanoseconds(self.now.nanoseconds)) }
}

/// Epochs that come back.
private struct FewNumbers: RandomNumberGenerator, Sendable {
    var base: SeededGenerator
    mutating func next() -> UInt64 { self.base.next() & 1 }
}

extension CacheRecord {
    init(version: Int, tags: [TagStamp], nonce: RecordNonce) {
        self.init(nonce: nonce, schema: 0, tags: tags, body: .bytes([UInt8(truncatingIfNeeded: version)]))
    }

    /// The version of the database's row that the body was made of.
    var version: Int? {
        guard case .bytes(let bytes) = self.body else { return nil }
        return bytes.first.map(Int.init)
    }
}
