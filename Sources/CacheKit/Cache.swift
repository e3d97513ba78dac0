import Logging
import Metrics
import ScaleCore

/// A cache in front of whatever is slow: values by key, loaded once however many ask, invalidated without a race.
///
/// ```swift
/// let cache = Cache(store: MemoryStore(), namespace: "profiles")
/// let profiles = try await cache.value(for: "user_profiles", expiresIn: .seconds(300), tags: ["profiles"]) {
///     try await database.allProfiles()
/// }
/// try await cache.invalidate(tag: "profiles")
/// ```
///
/// **What an invalidation promises.** When ``invalidate(tag:)`` or ``invalidate(key:)`` has returned, called after the database's commit,
/// no read that begins later, on any node with the same store, gets a value whose load began before; and no such load can be stored any
/// more. No clock is compared for that.
///
/// **When the store cannot be reached**, ``value(for:expiresIn:tags:fence:codec:load:)`` runs the loader, still once for all callers of
/// this node that wait, and returns its value without storing it. ``get(_:as:codec:)`` finds nothing and ``contains(_:)`` says no.
/// Writes, counters and deletions throw ``CacheError``: `set`, `add`, `replace`, `touch` and the counters `storeUnavailable`, after which
/// it is not known whether they took effect; deletions and invalidations `notConfirmed`: these stay journaled in this process and are
/// repeated until delivered, and until then this cache reads nothing from the store. Each failure is counted as `cache.errors`; one a second
/// is logged, with the number of those before it that were not.
///
/// Keys are any strings. Values are any `Codable & Sendable` type; a cached `nil`, `false`, `0` or empty list is a hit like any other. A
/// key read as another type than it was written as is a miss, and is replaced. With a ``MemoryStore`` values are kept decoded: value
/// types are copied out, instances of a class are shared by all who read them.
public final class Cache: Sendable {
    public let namespace: String
    public let configuration: CacheConfiguration
    let store: any CacheStore
    let capabilities: CacheStoreCapabilities
    /// Where values can be had without suspending; an empty store if ``hasMemory`` says that there is none. Not an optional, which each hit
    /// would retain.
    let memory: MemoryStore
    let hasMemory: Bool
    let space: Int32
    let metrics: CacheMetrics
    let flights = LoadFlights()
    let outage: OutageLoads
    private let failureLines = Locked(LogPace())
    let schemas = SchemaRegistry()
    let invalidator: Invalidator

    /// What `expiresIn` is when a call does not say: ``CacheConfiguration/expiry``.
    public static let configuredExpiry: Duration? = Duration(secondsComponent: -0x5CA1_E000_0000, attosecondsComponent: -0x5CA1E)

    /// - Parameter namespace: caches of different namespaces on one store never meet; those of one share everything.
    public init(store: some CacheStore, namespace: String = "", configuration: CacheConfiguration = CacheConfiguration()) {
        self.namespace = namespace
        self.configuration = configuration
        self.store = store
        self.capabilities = store.capabilities
        let memory = (store as? any HoldsMemory)?.memoryStore
        self.hasMemory = memory != nil
        self.memory = memory ?? MemoryStore()
        self.space = self.memory.space(namespace)
        self.metrics = CacheMetrics(namespace: namespace, factory: configuration.metrics)
        self.outage = OutageLoads(maximumAge: configuration.coherenceBound)
        self.invalidator = Invalidator(
            namespace: namespace, store: store, configuration: configuration, errors: self.metrics.errors, outage: self.outage)
    }
}

/// A store whose values can be had without suspending.
package protocol HoldsMemory {
    var memoryStore: MemoryStore { get }
}

extension MemoryStore: HoldsMemory {
    package var memoryStore: MemoryStore { self }
}

extension Cache {
    func key(_ name: String) -> CacheKey {
        CacheKey(namespace: self.namespace, name: name)
    }

    func storeTags(_ names: [String]) -> [CacheTag] {
        names.map { CacheTag(namespace: self.namespace, name: $0) }
    }

    func coding<Value: Codable & Sendable>(_ codec: CacheCodec<Value>?) -> ValueCoding<Value> {
        let codec = codec ?? .automatic(format: self.configuration.format)
        return ValueCoding(
            codec: codec, schema: self.schemas.fingerprint(of: Value.self, codec: codec.name), capabilities: self.capabilities)
    }

    /// The life that a call asks for; `nil` when the value is not to be stored at all.
    func life(_ expiresIn: Duration?) -> CacheLife? {
        let duration = expiresIn == Self.configuredExpiry ? self.configuration.expiry : expiresIn
        if let duration, duration <= .zero { return nil }
        return CacheLife(duration)
    }

    /// The call's tags with the namespace's own, each once. Throws ``CacheError/Code/invalidTag``.
    func checkedTags(_ tags: [String]) throws(CacheError) -> [String] {
        var names = [""]
        for tag in tags where !names.dropFirst().contains(where: { $0.hasSameBytes(as: tag) }) {
            guard !tag.isEmpty, tag.utf8.count <= Int(UInt16.max) else {
                throw CacheError(code: .invalidTag, message: "a tag has 1 to 65535 bytes, this one has \(tag.utf8.count)")
            }
            names.append(tag)
        }
        guard names.count <= Int(UInt8.max) else {
            throw CacheError(code: .invalidTag, message: "an entry carries at most 254 tags, not \(names.count - 1)")
        }
        return names
    }

    func newNonce() -> RecordNonce {
        var random = self.configuration.random
        return .random(using: &random)
    }

    func storeFailed(_ error: any Error, verb: String) {
        self.metrics.errors.increment()
        let now = self.configuration.time.now()
        guard let omitted = self.failureLines.withLock({ $0.admit(at: now) }) else { return }
        var metadata: Logger.Metadata = [
            "cache": "\(self.namespace)", "verb": "\(verb)", "error": "\(CacheError.from(error, key: nil).message)",
        ]
        if omitted > 0 { metadata["omitted"] = "\(omitted)" }
        self.configuration.logger.warning("the cache's store failed", metadata: metadata)
    }
}
