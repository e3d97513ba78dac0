public import Logging
import NIOCore
import QueueKit
import ServiceLifecycle

/// What `serve` is told.
public struct ServeSettings: Sendable {
    public var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    public var cache = StoreChoice.memory
    public var sessions = StoreChoice.memory
    public var queue = QueueChoice.memory
    /// Where results of jobs on RabbitMQ are kept; nil: with the sessions, or else with the cache.
    public var results: StoreChoice?
    public var database = "profiles.sqlite"
    public var seed = 1000
    public var cacheNamespace = "profiles"
    public var trustedProxies: Set<String> = []
    /// How many streams of the live feed one client may have open at this instance.
    public var listenersPerClient = LiveAudience.Limits().listenersPerClient
    public var insecureCookies = false
    public var patience = Patience()

    public init() {}

    /// Serves until the process is told to end.
    public func run(logger: Logger) async throws {
        try self.check()
        try await ServiceRunner(logger: logger).run { try await self.parts(logger) }
    }

    private func parts(_ logger: Logger) async throws -> [any Service] {
        try await ListenCheck.run(self.listen)
        let metrics = PrometheusRegistry()
        metrics.install()
        let hasher = PasswordHasher(metrics: metrics)
        let database = try await ProfileDatabase(path: self.database, seed: self.seed, metrics: metrics)
        // Last, since these may warn, and a bad start is to be one line.
        var clients = RedisClients(patience: self.patience, logger: logger)
        let stores = try await Stores.open(
            cache: self.cache, sessions: self.sessions, namespace: self.cacheNamespace, clients: &clients, patience: self.patience,
            metrics: metrics, logger: logger)
        let jobs = try await Jobs.open(self.queue, results: self.placeOfResults, clients: &clients, patience: self.patience, logger: logger)
        clients.warnOfUnreached()
        await clients.warnOfAdvice(on: Life.ofService(cache: self.cache, queue: self.queue))
        let instance = Instance(
            stores: stores, database: database, hasher: hasher, queue: jobs.queue, metrics: metrics,
            trustedProxies: self.trustedProxies, insecureCookies: self.insecureCookies,
            audience: LiveAudience.Limits(listenersPerClient: self.listenersPerClient), patience: self.patience, logger: logger)
        let listen = self.listen
        let server = instance.server.application(listen: listen, logger: logger) { port in
            logger.notice("serving", metadata: ["address": "\(ListenAddress(host: listen.host, port: port))"])
        }
        self.warnOfMemory(logger)
        // Ended in reverse: first the streams end, and the server takes no more requests, then what it stands on may go.
        return clients.all + stores.services + jobs.services + self.ownWorker(on: jobs.queue, logger)
            + [instance.publisher, instance.notifier, server, instance.live]
    }

    func check() throws {
        guard !self.insecureCookies || self.listen.isLoopback else {
            throw StartError("--insecure-cookies: only when listening at a loopback address; --listen is \(self.listen)")
        }
        for proxy in self.trustedProxies.sorted() where (try? SocketAddress(ipAddress: proxy, port: 0)) == nil {
            throw StartError("--trusted-proxy \(proxy): must be an IP address, such as 127.0.0.1")
        }
        guard self.listenersPerClient >= 1 else {
            throw StartError("--listeners-per-client \(self.listenersPerClient): must be at least 1")
        }
        try self.patience.check()
        guard self.seed >= 0 else { throw StartError("--seed \(self.seed): must not be negative") }
    }

    private var placeOfResults: StoreChoice {
        if let results { return results }
        if case .redis = self.sessions { return self.sessions }
        if case .redis = self.cache { return self.cache }
        return .memory
    }

    private func warnOfMemory(_ logger: Logger) {
        let flags = [(self.cache.isMemory, "--cache"), (self.sessions.isMemory, "--sessions"), (self.queue.isMemory, "--queue")]
        for (isMemory, flag) in flags where isMemory {
            logger.warning("\(flag) memory serves this one instance only; a second instance needs a shared store")
        }
    }

    /// Jobs in memory can be run by nobody else.
    private func ownWorker(on queue: JobQueue, _ logger: Logger) -> [any Service] {
        self.queue.isMemory ? [Jobs.worker(on: queue, concurrency: 4, mailer: LogMailer(logger: logger))] : []
    }
}
