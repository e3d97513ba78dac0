import CacheKit
import ScaleCore

/// A ring and its connections (``ServerPool``) on a thread of their own.
actor MemcachedHandle {
    private nonisolated let thread: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { self.thread.asUnownedSerialExecutor() }

    private let pool: ServerPool
    private let rests: SharedRests
    private let time: TimeSource
    private let keysPerRead: Int

    init(
        name: String, _ servers: [ServiceURL.Host], _ configuration: MemcachedConfiguration, rests: SharedRests,
        time: TimeSource
    ) throws(ThreadExecutorError) {
        self.thread = try ThreadExecutor(name: name)
        self.pool = ServerPool(servers, configuration)
        self.rests = rests
        self.time = time
        self.keysPerRead = min(max(configuration.keysPerRead, 1), 500)
    }

    /// Ends all connections. What is asked for afterwards is an error.
    func shutdown() {
        self.pool.close()
    }

    // MARK: Reading

    /// The items at `names`, which are all different. A server that fails fails its own keys, and no other.
    func read(_ names: [String]) -> [Result<StoredItem?, CacheError>] {
        var outcomes: [Result<StoredItem?, CacheError>] = Array(repeating: .success(nil), count: names.count)
        var open = names.indices.map { (position: $0, server: self.pool.server(of: names[$0])) }
        // A connection may be left from before the server was started anew. Reading twice does no harm.
        for isLast in [false, true] where !open.isEmpty {
            open = self.read(open, of: names, into: &outcomes, isLast: isLast)
        }
        return outcomes
    }

    /// Reads the names at `places`; those to be read again.
    private func read(
        _ places: [(position: Int, server: Int)], of names: [String], into outcomes: inout [Result<StoredItem?, CacheError>], isLast: Bool
    ) -> [(position: Int, server: Int)] {
        let now = self.time.now()
        let resting = self.rests.withLock { rests in rests.isEmpty ? [] : Set(places.map(\.server).filter { rests.rests($0, at: now) }) }
        var asked = places
        if !resting.isEmpty {
            for place in places where resting.contains(place.server) {
                outcomes[place.position] = .failure(.memcachedRests(self.pool.name(of: place.server)))
            }
            asked.removeAll { resting.contains($0.server) }
        }
        var again: [(position: Int, server: Int)] = []
        for start in stride(from: 0, to: asked.count, by: self.keysPerRead) {
            let chunk = asked[start..<min(start + self.keysPerRead, asked.count)]
            do throws(CacheError) {
                let answer = try self.pool.multiGet(chunk.map { (names[$0.position], $0.server) }[...])
                var failures: [Int: CacheError] = [:]
                var repeatable: Set<Int> = []
                for failed in answer.failures {
                    failures[failed.server] = .memcached(failed.failure, at: self.pool.name(of: failed.server))
                    if !isLast, failed.failure != .timeout, failed.wasProven {
                        repeatable.insert(failed.server)
                    } else {
                        self.note(failed)
                    }
                }
                for (place, item) in zip(chunk, answer.items) {
                    if item == nil, let error = failures[place.server] {
                        outcomes[place.position] = .failure(error)
                        if repeatable.contains(place.server) { again.append(place) }
                    } else {
                        outcomes[place.position] = .success(item)
                    }
                }
            } catch {
                for place in chunk { outcomes[place.position] = .failure(error) }
            }
        }
        return again
    }

    /// A server that is silent, or fails at the first use of a connection, is left alone for a while.
    private func note(_ failed: ServerPool.Failed) {
        guard failed.failure == .timeout || !failed.wasProven else { return }
        let now = self.time.now()
        self.rests.withLock { $0.begin(failed.server, at: now) }
    }

    // MARK: Writing

    /// Stores, whatever is there.
    func set(_ name: String, _ item: NewItem, place: KeyPlace) throws(CacheError) {
        switch try self.store(.set, name, item, place: place) {
        case .stored: return
        case .full: throw .memcachedIsFull(key: place.key)
        case .changed: throw CacheError(code: .storeUnavailable, message: "Memcached did not store the entry", key: place.key)
        }
    }

    /// Stores; deletes where the server has no memory for it.
    func setOrDelete(_ name: String, _ item: NewItem, place: KeyPlace) throws(CacheError) {
        if try self.store(.set, name, item, place: place) != .stored { try self.delete(name, place: place) }
    }

    /// Deletes; whether there was something.
    @discardableResult
    private func delete(_ name: String, place: KeyPlace) throws(CacheError) -> Bool {
        switch try self.send(StoreCommand(delete: name), name, place: place) {
        case .success(.deleted): return true
        case .success: return false
        case .failure: throw CacheError(code: .storeUnavailable, message: "Memcached did not delete the entry", key: place.key)
        }
    }

    /// One atomic step: reads, lets `decide` say what that leads to, and does it if the item is still what was read; else again.
    func change<Answer: Sendable>(
        _ name: String, place: KeyPlace, _ decide: @Sendable (StoredItem?) throws(CacheError) -> StoreStep<Answer>
    ) throws(CacheError) -> Answer {
        switch try self.tryToChange(name, place: place, decide) {
        case .done(let answer): return answer
        case .contended: throw .memcachedContention(key: place.key)
        case .full: throw .memcachedIsFull(key: place.key)
        }
    }

    /// ``change(_:place:_:)`` for what must succeed: where others write all the time, or the server has no memory for it, deletes instead.
    /// Whether there was something then.
    func changeOrDelete(
        _ name: String, place: KeyPlace, _ decide: @Sendable (StoredItem?) throws(CacheError) -> StoreStep<Bool>
    ) throws(CacheError) -> Bool {
        switch try self.tryToChange(name, place: place, decide) {
        case .done(let answer): return answer
        case .contended, .full: return try self.delete(name, place: place)
        }
    }

    private enum Attempt<Answer: Sendable> {
        case done(Answer)
        /// Others have written each time.
        case contended
        /// The server has no memory for the item.
        case full
    }

    /// How often a step is tried over, each time because somebody else has written in between.
    private static let patience = 100

    /// Item and number come by one unbroken connection, on which the command follows at once: numbers begin anew with the server.
    private func tryToChange<Answer: Sendable>(
        _ name: String, place: KeyPlace, _ decide: (StoredItem?) throws(CacheError) -> StoreStep<Answer>
    ) throws(CacheError) -> Attempt<Answer> {
        for _ in 0..<Self.patience {
            let found = try self.item(name, place: place)
            let (verb, item, answer): (StoreCommand.Storing, NewItem, Answer)
            switch (try decide(found), found) {
            case (.answer(let given), _), (.remove(let given), nil):
                return .done(given)
            case (.put(let new, let given), let found?):
                (verb, item, answer) = (.replace(number: found.number), new, given)
            case (.put(let new, let given), nil):
                (verb, item, answer) = (.add, new, given)
            case (.remove(let given), let found?):
                // There is no conditional delete; an item whose life is over when it is stored does as well.
                (verb, item, answer) = (.replace(number: found.number), NewItem(bytes: [], expiry: WireExpiry.past), given)
            }
            switch try self.store(verb, name, item, place: place, onlyBy: found?.connection) {
            case .stored: return .done(answer)
            case .changed: continue
            case .full: return .full
            }
        }
        return .contended
    }

    private func item(_ name: String, place: KeyPlace) throws(CacheError) -> StoredItem? {
        switch self.read([name]).first ?? .failure(.memcachedIsShutDown) {
        case .success(let item): return item
        case .failure(var error):
            error.key = place.key
            throw error
        }
    }

    private enum StoreAnswer {
        case stored
        /// The item is not what was read.
        case changed
        case full
    }

    private func store(
        _ verb: StoreCommand.Storing, _ name: String, _ item: NewItem, place: KeyPlace, onlyBy connection: UInt64? = nil
    ) throws(CacheError) -> StoreAnswer {
        switch try self.send(StoreCommand(verb, name, item), name, place: place, onlyBy: connection) {
        case .success(.stored): return .stored
        case .success: return .changed
        case .failure(.outOfMemory): return .full
        case .failure: throw .memcachedTookLess(size: item.bytes.count, limit: place.limit, key: place.key)
        }
    }

    /// What a refusal is returned as, since it is an answer: the entry is too large, or memory short.
    private enum Refusal: Error {
        case tooLarge, outOfMemory
    }

    /// Sends a command. All that is no answer to it is thrown.
    ///
    /// - Parameter connection: on which alone the command may go out.
    private func send(
        _ command: StoreCommand, _ name: String, place: KeyPlace, onlyBy connection: UInt64? = nil
    ) throws(CacheError) -> Result<StoreCommand.Reply, Refusal> {
        let server = self.pool.server(of: name)
        let now = self.time.now()
        if self.rests.withLock({ $0.rests(server, at: now) }) {
            var error = CacheError.memcachedRests(self.pool.name(of: server))
            error.key = place.key
            throw error
        }
        let outcome =
            if let connection { try self.pool.send(command, to: server, onlyBy: connection) } else {
                try self.pool.send(command, to: server)
            }
        switch outcome {
        case .success(let reply): return .success(reply)
        case .failure(let failed) where failed.failure == .reply(.tooLarge): return .failure(.tooLarge)
        case .failure(let failed) where failed.failure == .reply(.outOfMemory): return .failure(.outOfMemory)
        case .failure(let failed):
            self.note(failed)
            var error = CacheError.memcached(failed.failure, at: self.pool.name(of: server))
            error.key = place.key
            throw error
        }
    }
}

/// What an error about an entry names.
struct KeyPlace: Sendable {
    /// The key without its namespace; `nil` for epochs and sequences.
    var key: String?
    /// The store's limit in bytes.
    var limit: Int
}

/// What is to be done after an item was read, and the answer if that succeeds.
enum StoreStep<Answer: Sendable>: Sendable {
    /// Nothing.
    case answer(Answer)
    /// Store in place of what was read.
    case put(NewItem, Answer)
    /// Remove what was read.
    case remove(Answer)
}
