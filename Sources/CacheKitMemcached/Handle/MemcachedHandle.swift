import CScaleMemcached
import CacheKit
import ScaleCore

/// One handle of libmemcached on a thread of its own.
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

    /// Answers what waits, together, until nothing waits any more.
    func serve(_ reads: PendingReads) {
        while let batch = reads.take() {
            let outcomes = self.read(batch.names)
            for (waiter, positions) in zip(batch.waiters, batch.positions) {
                waiter.resume(returning: positions.map { outcomes[$0] })
            }
        }
    }

    /// The items at `names`, which are all different. A server that fails fails its own keys, and no other.
    func read(_ names: [String]) -> [Result<StoredItem?, CacheError>] {
        var outcomes: [Result<StoredItem?, CacheError>] = Array(repeating: .failure(.memcachedIsShutDown), count: names.count)
        var open = Array(names.indices)
        // A connection may be left from before the server was started anew. Reading twice does no harm.
        for isLast in [false, true] where !open.isEmpty {
            open = self.read(open, of: names, into: &outcomes, isLast: isLast)
        }
        return outcomes
    }

    /// Reads the names at `positions`; those to be read again.
    private func read(
        _ positions: [Int], of names: [String], into outcomes: inout [Result<StoredItem?, CacheError>], isLast: Bool
    ) -> [Int] {
        var again: [Int] = []
        do throws(CacheError) {
            var asked: [(position: Int, server: Int)] = []
            let now = self.time.now()
            let rests = self.rests.withLock { $0 }
            for position in positions {
                let server = try self.pool.server(of: names[position])
                if rests.rests(server, at: now) {
                    outcomes[position] = .failure(.memcachedRests(self.pool.name(of: server)))
                } else {
                    asked.append((position, server))
                }
            }
            for start in stride(from: 0, to: asked.count, by: self.keysPerRead) {
                let chunk = asked[start..<min(start + self.keysPerRead, asked.count)]
                let servers = chunk.map(\.server)
                let answer = try self.pool.multiGet(chunk.map { names[$0.position] }, servers: servers)
                let repeatable = self.settle(servers, answer.failures, mayRepeat: !isLast)
                for ((position, server), outcome) in zip(chunk, answer.outcomes) {
                    if case .failure = outcome, repeatable.contains(server) { again.append(position) }
                    outcomes[position] = outcome
                }
            }
        } catch {
            for position in positions { outcomes[position] = .failure(error) }
            return []
        }
        return again
    }

    /// Draws the conclusions from the answers of servers; the failed ones that may be asked again at once.
    private func settle(_ servers: [Int], _ failures: [ServerPool.ServerFailure], mayRepeat: Bool) -> Set<Int> {
        let failed = Set(failures.map(\.server))
        let repeatable = failures.filter { mayRepeat && !$0.status.isTimeout && self.pool.isProven($0.server) }.map(\.server)
        for failure in failures where !repeatable.contains(failure.server) { self.note(failure.status, of: failure.server) }
        for server in Set(servers).subtracting(failed) { self.pool.prove(server) }
        if !failures.isEmpty { self.pool.renew() }
        return Set(repeatable)
    }

    /// A server that is silent, or fails at the first use of a connection, is left alone for a while.
    private func note(_ status: memcached_return_t, of server: Int) {
        guard status.isTimeout || !self.pool.isProven(server) else { return }
        let now = self.time.now()
        self.rests.withLock { $0.begin(server, at: now) }
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
        let status = try self.command(name, place: place) { () throws(CacheError) in try self.pool.delete(name) }
        return status == MEMCACHED_SUCCESS || status == MEMCACHED_DELETED
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
            let (command, item, answer): (ServerPool.Command, NewItem, Answer)
            switch (try decide(found), found) {
            case (.answer(let given), _), (.remove(let given), nil):
                return .done(given)
            case (.put(let new, let given), let found?):
                (command, item, answer) = (.replace(number: found.number), new, given)
            case (.put(let new, let given), nil):
                (command, item, answer) = (.add, new, given)
            case (.remove(let given), let found?):
                // There is no conditional delete; an item whose life is over when it is stored does as well.
                (command, item, answer) = (.replace(number: found.number), NewItem(bytes: [], expiry: WireExpiry.past), given)
            }
            switch try self.store(command, name, item, place: place) {
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
        _ command: ServerPool.Command, _ name: String, _ item: NewItem, place: KeyPlace
    ) throws(CacheError) -> StoreAnswer {
        switch try self.command(name, place: place, { () throws(CacheError) in try self.pool.store(command, name, item) }) {
        case MEMCACHED_SUCCESS, MEMCACHED_STORED: return .stored
        case MEMCACHED_E2BIG: throw .valueTooLarge(size: item.bytes.count, limit: place.limit, key: place.key)
        case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE: return .full
        default: return .changed
        }
    }

    /// Sends a command, and gives the handle up if its answer was anything but plain. A refusal that says that the entry is too
    /// large, or memory short, is returned; other failures are thrown.
    private func command(
        _ name: String, place: KeyPlace, _ send: () throws(CacheError) -> memcached_return_t
    ) throws(CacheError) -> memcached_return_t {
        let server = try self.pool.server(of: name)
        let now = self.time.now()
        if self.rests.withLock({ $0.rests(server, at: now) }) {
            var error = CacheError.memcachedRests(self.pool.name(of: server))
            error.key = place.key
            throw error
        }
        let status = try send()
        if status.leavesConnectionUsable {
            self.pool.prove(server)
            return status
        }
        let isRefusal = status == MEMCACHED_E2BIG || status == MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE
        if !isRefusal { self.note(status, of: server) }
        self.pool.renew()
        if isRefusal { return status }
        var error = CacheError.memcached(status, at: self.pool.name(of: server))
        error.key = place.key
        throw error
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
