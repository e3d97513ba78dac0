import CScaleMemcached
import CacheKit
import ScaleCore

/// One handle of libmemcached over all servers: a connection to each, and the ring that tells whose a key is.
///
/// It belongs to one thread; every call blocks it. A key's server comes from ketama's ring and never changes while a server is down:
/// an ejected server that returns would bring back what was invalidated in the meantime. After any failure the whole handle is given up and
/// made anew, since what is left unread of an answer would be taken for the answer to the next question.
final class ServerPool {
    private let servers: [ServiceURL.Host]
    private let configuration: MemcachedConfiguration
    private var handle: UnsafeMutablePointer<memcached_st>?
    /// Where answers are read to.
    private let result: ResultStorage
    /// The servers that have answered on this handle. When such a connection breaks, the server may have been started anew since; when
    /// the first use of one fails, it is down.
    private var proven: Set<Int> = []

    init(_ servers: [ServiceURL.Host], _ configuration: MemcachedConfiguration) {
        self.servers = servers
        self.configuration = configuration
        self.result = ResultStorage()
        self.open()
    }

    deinit {
        self.close()
        self.result.deallocate()
    }

    func name(of server: Int) -> String {
        self.servers.indices.contains(server) ? self.servers[server].description : "an unknown server"
    }

    /// Whether the server has answered since the handle was made.
    func isProven(_ server: Int) -> Bool { self.proven.contains(server) }

    func prove(_ server: Int) { self.proven.insert(server) }

    func withHandle<Result>(
        _ body: (UnsafeMutablePointer<memcached_st>) throws(CacheError) -> Result
    ) throws(CacheError) -> Result {
        guard let handle = self.handle else { throw .memcachedIsShutDown }
        return try body(handle)
    }

    /// An empty result for the items of one answer.
    func emptyResult(_ handle: UnsafeMutablePointer<memcached_st>) -> UnsafeMutablePointer<memcached_result_st> {
        self.result.empty(handle)
    }

    // MARK: Life

    /// Drops all connections with whatever they still hold, and begins with new ones.
    func renew() {
        guard self.handle != nil else { return }
        self.close()
        self.open()
    }

    func close() {
        guard let handle = self.handle else { return }
        memcached_quit(handle)
        self.result.discard()
        memcached_free(handle)
        self.handle = nil
        self.proven = []
    }

    private func open() {
        guard let handle = memcached_create(nil) else { return }
        self.result.protect(handle)
        let settings: [(memcached_behavior_t, UInt64)] = [
            (MEMCACHED_BEHAVIOR_KETAMA, 1),
            (MEMCACHED_BEHAVIOR_AUTO_EJECT_HOSTS, 0),
            (MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1),
            (MEMCACHED_BEHAVIOR_TCP_NODELAY, 1),
            (MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, Self.milliseconds(self.configuration.connectTimeout)),
            (MEMCACHED_BEHAVIOR_POLL_TIMEOUT, Self.milliseconds(self.configuration.replyTimeout)),
        ]
        for (behavior, value) in settings { memcached_behavior_set(handle, behavior, value) }
        for server in self.servers {
            memcached_server_add(handle, server.name, in_port_t(clamping: server.port ?? 11211))
        }
        self.handle = handle
    }

    /// 0 would be no time at all, and what exceeds 32 bits something else.
    private static func milliseconds(_ duration: Duration) -> UInt64 {
        UInt64(min(max(duration.wholeMillisecondsRoundedUp, 1), Int64(Int32.max)))
    }
}
