import CacheKit
import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A connection to each server, and the ring that tells whose a key is.
///
/// It belongs to one thread; every call blocks it. A key's server never changes while a server is down: what has moved to another would
/// come back old. After any failure the server's connection is closed and made anew at its next use; those to other servers are in
/// step, since each of their answers was read to its end.
final class ServerPool {
    /// What became of a question to one server.
    struct Failed: Error {
        var server: Int
        var failure: ServerFailure
        /// The connection had worked before.
        var wasProven: Bool
    }

    private let ring: KetamaRing
    private let connections: [ServerConnection]
    private let maximumItemSize: Int
    private var isClosed = false

    init(_ servers: [ServiceURL.Host], _ configuration: MemcachedConfiguration) {
        self.ring = KetamaRing(servers)
        self.connections = servers.map { ServerConnection($0, configuration) }
        // No server takes `-I` beyond a gigabyte. What it says of a length must stay a number when ends of lines are added.
        self.maximumItemSize = min(max(configuration.maximumItemSize, 0), 1 << 30)
    }

    func name(of server: Int) -> String {
        self.connections.indices.contains(server) ? self.connections[server].server.description : "an unknown server"
    }

    /// The server's position in the list.
    func server(of name: String) -> Int {
        min(self.ring.server(of: name), self.connections.count - 1)
    }

    /// Ends all connections. What is asked for afterwards is an error.
    func close() {
        self.isClosed = true
        for connection in self.connections { connection.close() }
    }

    private func checkOpen() throws(CacheError) {
        guard !self.isClosed else { throw .memcachedIsShutDown }
    }

    // MARK: Reading

    /// The items at `names` on their servers, in their order, and the servers that failed. A key counts as absent only where its
    /// server's answer is complete; what had come of another one before it failed counts.
    func multiGet(
        _ names: ArraySlice<(name: String, server: Int)>
    ) throws(CacheError) -> (items: [StoredItem?], failures: [Failed]) {
        try self.checkOpen()
        var exchanges: [Exchange] = []
        var places: [(exchange: Int, key: Int)] = []
        places.reserveCapacity(names.count)
        var exchangeOf = [Int](repeating: -1, count: self.connections.count)
        for (name, server) in names {
            if exchangeOf[server] < 0 {
                exchangeOf[server] = exchanges.count
                exchanges.append(Exchange(server: server))
            }
            let exchange = exchangeOf[server]
            places.append((exchange, exchanges[exchange].question.keys.count))
            exchanges[exchange].question.append(name)
        }
        for index in exchanges.indices { self.begin(&exchanges[index]) }
        self.finish(&exchanges)
        return (
            places.map { exchanges[$0.exchange].reply?.items[$0.key] },
            exchanges.compactMap { $0.failed }
        )
    }

    /// A multi-get to one server.
    private struct Exchange {
        let server: Int
        var question = ItemsQuestion()
        var reply: ItemsReply?
        var failed: Failed?
        var isOver = false

        init(server: Int) {
            self.server = server
        }
    }

    private func begin(_ exchange: inout Exchange) {
        exchange.question.end()
        let connection = self.connections[exchange.server]
        do throws(ServerFailure) {
            try connection.prepare()
            exchange.reply = ItemsReply(
                to: exchange.question, maximumLength: self.maximumItemSize, connection: connection.generation)
            try connection.ask(exchange.question.bytes)
        } catch {
            self.end(&exchange, error)
        }
    }

    private func end(_ exchange: inout Exchange, _ failure: ServerFailure) {
        exchange.failed = self.fail(exchange.server, failure)
        exchange.isOver = true
        // Of a reply that is not to this question nothing is believed.
        if failure == .reply(.foreign) { exchange.reply = nil }
    }

    /// Waits for all servers at once, and takes what comes.
    private func finish(_ exchanges: inout [Exchange]) {
        var wishes: [pollfd] = []
        var waiting: [Int] = []
        while true {
            wishes.removeAll(keepingCapacity: true)
            waiting.removeAll(keepingCapacity: true)
            var end = Instant.distantFuture
            for index in exchanges.indices where !exchanges[index].isOver {
                let connection = self.connections[exchanges[index].server]
                waiting.append(index)
                wishes.append(connection.wish)
                end = min(end, connection.waitEnd)
            }
            guard !waiting.isEmpty else { return }
            let now = self.wait(&wishes, until: end)
            for (wish, index) in zip(wishes, waiting) {
                self.proceed(&exchanges[index], isReady: wish.revents != 0, at: now)
            }
        }
    }

    private func proceed(_ exchange: inout Exchange, isReady: Bool, at now: Instant) {
        let connection = self.connections[exchange.server]
        do throws(ServerFailure) {
            guard isReady else {
                if now >= connection.waitEnd { throw .timeout }
                return
            }
            exchange.isOver = try connection.proceed { bytes throws(ReplyFault) in
                let taken = try exchange.reply?.take(bytes) ?? 0
                return (exchange.reply?.isComplete ?? true, taken)
            }
            if !exchange.isOver, now >= connection.waitEnd { throw .timeout }
        } catch {
            self.end(&exchange, error)
        }
    }

    /// Waits until something is ready or the time has come; the time then.
    private func wait(_ wishes: inout [pollfd], until end: Instant) -> Instant {
        let left = TimeSource.system.now().duration(to: end)
        SocketCalls.wait(&wishes, milliseconds: Int32(clamping: max(left.wholeMillisecondsRoundedUp, 0)))
        return TimeSource.system.now()
    }

    // MARK: Writing

    /// What a command to one server answered. It does not depend on what was there: a lost answer leaves open whether it was done.
    func send(_ command: StoreCommand, to server: Int) throws(CacheError) -> Result<StoreCommand.Reply, Failed> {
        try self.checkOpen()
        return self.exchange(command, with: server, isPrepared: false)
    }

    /// The same for a command whose number came by the connection as which `generation` names it. On another one the number
    /// says nothing, and the item counts as changed.
    func send(
        _ command: StoreCommand, to server: Int, onlyBy generation: UInt64
    ) throws(CacheError) -> Result<StoreCommand.Reply, Failed> {
        try self.checkOpen()
        let connection = self.connections[server]
        guard connection.generation == generation, connection.isInStep else { return .success(.changed) }
        return self.exchange(command, with: server, isPrepared: true)
    }

    private func exchange(_ command: StoreCommand, with server: Int, isPrepared: Bool) -> Result<StoreCommand.Reply, Failed> {
        let connection = self.connections[server]
        do throws(ServerFailure) {
            if !isPrepared { try connection.prepare() }
            try connection.ask(command.bytes)
            var reply: StoreCommand.Reply?
            while true {
                var wishes = [connection.wish]
                let now = self.wait(&wishes, until: connection.waitEnd)
                if wishes[0].revents != 0 {
                    _ = try connection.proceed { bytes throws(ReplyFault) in
                        reply = try command.reply(in: bytes)
                        return (reply != nil, reply == nil ? 0 : bytes.count)
                    }
                    if let reply { return .success(reply) }
                }
                if now >= connection.waitEnd { throw .timeout }
            }
        } catch {
            return .failure(self.fail(server, error))
        }
    }

    private func fail(_ server: Int, _ failure: ServerFailure) -> Failed {
        let connection = self.connections[server]
        let failed = Failed(server: server, failure: failure, wasProven: connection.isProven)
        connection.close()
        return failed
    }
}
