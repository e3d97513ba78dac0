public import CacheKit
public import ScaleCore

/// A cache store in a pool of Memcached servers, shared by all nodes that name the same servers.
///
/// ```swift
/// let store = try MemcachedCacheStore("memcached://cache-1,cache-2,cache-3")
/// let cache = Cache(store: store, namespace: "profiles")
/// ```
///
/// Keys are spread over the servers by ketama (consistent hashing, as libmemcached, pylibmc and php-memcached do it). A server that is down is
/// an error for its own keys, never a miss, and its keys do not move: they are where they were when it is back.
///
/// Reads that wait at the same time are put together into one multi-get. Whatever tests before it writes reads the item's number (`gets`) and
/// writes by `cas` on the same connection. Names are those of CacheKit's `StorageName`, within 250 bytes of visible ASCII; names
/// that do not fit are hashed. Records end when their life does, to the millisecond, by the clock of the reader, and at the server up to two
/// seconds later; a counter's life is told by the item's flags, and ends with a whole second. A counter that another program created has
/// no such flags: counting on it here makes it live until it is removed.
///
/// The text protocol has neither passwords nor TLS: keep the servers in a network of your own.
public struct MemcachedCacheStore: CacheStore {
    public let capabilities: CacheStoreCapabilities
    let readers: [PendingReads]
    let readerHandles: [MemcachedHandle]
    let writers: [MemcachedHandle]
    let leases: SharedLeases
    let time: TimeSource
    let random: RandomSource
    let longestLease: Duration

    /// Makes the threads; connections are made when they are needed.
    ///
    /// - Parameters:
    ///   - url: `memcached://host[:port][,host[:port]…]`
    ///   - longestLease: a stored lease that would last longer, and longer than the lease asked for, is taken to last this long.
    ///   - time: gives UTC for the records' freshness and ends, and monotonic time for leases.
    /// - Throws: `ServiceURLError` for a URL of another form, ``CacheError`` with ``CacheError/Code/unsupported`` for one with a user or
    ///   password, and with ``CacheError/Code/storeUnavailable`` when the system has no thread left.
    public init(
        _ url: String, configuration: MemcachedConfiguration = MemcachedConfiguration(), longestLease: Duration = .seconds(3600),
        time: TimeSource = .system, random: RandomSource = .system
    ) throws {
        let url = try ServiceURL(url, schemes: [.memcached])
        guard url.user == nil, url.password == nil else {
            throw CacheError(code: .unsupported, message: "Memcached's text protocol has no user and no password")
        }
        let rests = SharedRests(length: configuration.restAfterFailure)
        let makeHandle = { (kind: String) throws(CacheError) -> MemcachedHandle in
            do throws(ThreadExecutorError) {
                return try MemcachedHandle(name: "memcached-\(kind)", url.hosts, configuration, rests: rests, time: time)
            } catch {
                throw CacheError(code: .storeUnavailable, message: "no thread for Memcached: \(error)")
            }
        }
        self.readerHandles = try (0..<max(configuration.readers, 1)).map { _ in try makeHandle("read") }
        self.readers = self.readerHandles.map { PendingReads($0) }
        self.writers = try (0..<max(configuration.writers, 1)).map { _ in try makeHandle("write") }
        self.leases = SharedLeases()
        self.capabilities = CacheStoreCapabilities(
            maximumValueSize: max(min(configuration.maximumItemSize, 1 << 30) - Self.itemOverhead, 0),
            maximumKeyLength: WireName.maximumLength, counters: true)
        self.longestLease = longestLease
        self.time = time
        self.random = random
    }

    /// What an item takes beside its value: the longest key, the server's head and number, and the ends of lines; with some to spare.
    static let itemOverhead = 512

    /// Ends the connections. What is asked for afterwards is an error. A store that is released without it ends them too, on the thread
    /// of whoever releases it.
    public func shutdown() async {
        for handle in self.readerHandles + self.writers { await handle.shutdown() }
    }

    // MARK: Handles

    /// The items at `names`. Throws what the first server that failed has failed with.
    func read(_ names: [String], keys: [String?]) async throws -> [StoredItem?] {
        guard !names.isEmpty else { return [] }
        let reader = self.readers[Self.position(of: names[0], in: self.readers.count)]
        let outcomes = try await reader.read(names)
        var items: [StoredItem?] = []
        items.reserveCapacity(outcomes.count)
        for (outcome, key) in zip(outcomes, keys) {
            switch outcome {
            case .success(let item): items.append(item)
            case .failure(var error):
                error.key = key
                throw error
            }
        }
        return items
    }

    /// How many reads have not been sent, for tests.
    package var waitingReads: Int { self.readers.reduce(0) { $0 + $1.count } }

    /// The handle on which all verbs of a key that write run, so that those of one node do not contend for it.
    func writer(of name: String) -> MemcachedHandle {
        self.writers[Self.position(of: name, in: self.writers.count)]
    }

    private static func position(of name: String, in count: Int) -> Int {
        guard count > 1 else { return 0 }
        return Int(truncatingIfNeeded: UInt(bitPattern: name.hashValue) % UInt(count))
    }

    func place(_ key: CacheKey) -> KeyPlace { KeyPlace(key: key.name, limit: self.capabilities.maximumValueSize) }

    func checkSize(_ item: NewItem, _ key: CacheKey) throws(CacheError) {
        let limit = self.capabilities.maximumValueSize
        guard item.bytes.count <= limit else { throw .valueTooLarge(size: item.bytes.count, limit: limit, key: key.name) }
    }
}

/// What this node knows of leases, for all its handles.
final class SharedLeases: Sendable {
    private let sightings = Locked(LeaseSightings())

    func withLock<Result: Sendable>(_ body: (inout LeaseSightings) -> Result) -> Result {
        self.sightings.withLock { body(&$0) }
    }
}
