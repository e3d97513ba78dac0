import BalancerKitProxy
import Logging
import QueueKit
import ServiceLifecycle

/// The whole service in one process: two instances over shared embedded stores, a worker, and the proxy in front.
struct DemoProcess: Sendable {
    /// What runs, in the order in which it starts; it is ended in reverse.
    let services: [any Service]

    /// The database of both instances.
    let database: ProfileDatabase

    private let instances: [DemoInstance]
    private let proxy: DemoProxy

    /// - Parameters:
    ///   - stores: what the instances stand on: one for both, or one for each. By default embedded ones for both.
    ///   - patience: with the parts, where `/readyz` asks them.
    ///   - rounds: scrypt's N for passwords.
    init(
        settings: DemoSettings, scratch: ScratchDirectory, metrics: PrometheusRegistry, logger: Logger, stores: [Stores] = [],
        patience: Patience = Patience(), rounds: Int = PasswordHasher.rounds
    ) async throws {
        var stores = stores
        if stores.isEmpty {
            stores = [
                try await Stores.open(cache: .memory, sessions: .memory, namespace: "profiles", metrics: metrics, logger: logger)
            ]
        }
        let hasher = PasswordHasher(rounds: rounds, metrics: metrics)
        let database = try await ProfileDatabase(
            path: settings.database ?? "\(scratch.path)/profiles.sqlite", seed: settings.seed,
            metrics: metrics)
        let queue = try Jobs.embedded(.sqlite(path: "\(scratch.path)/jobs.sqlite"), logger: logger)
        let instances = (0..<2).map { number in
            DemoInstance(
                Instance(
                    stores: stores[number % stores.count], database: database, hasher: hasher, queue: queue, metrics: metrics,
                    trustedProxies: ["127.0.0.1"], insecureCookies: settings.insecureCookies, patience: patience, logger: logger),
                logger: logger)
        }
        let mailer = LogMailer(logger: logger, failsFirstAttempts: true)
        self.database = database
        self.instances = instances
        self.proxy = DemoProxy(listen: settings.listen, instances: instances, logger: logger)
        self.services =
            stores.flatMap(\.services) + [Jobs.worker(on: queue, concurrency: 4, mailer: mailer)] + instances.flatMap(\.services) + [
                self.proxy, LiveEnding(feeds: instances.map(\.live)),
            ]
    }

    /// The proxy's address, once it listens.
    func proxyAddress() async throws -> String { try await self.proxy.address.value() }

    /// The instances' own addresses, once they listen.
    func instanceAddresses() async throws -> [String] {
        var addresses: [String] = []
        for instance in self.instances { addresses.append("http://127.0.0.1:\(try await instance.port.value())") }
        return addresses
    }

    /// The instances' feeds.
    var feeds: [LiveFeed] { self.instances.map(\.live) }

    /// Stops the first instance gracefully; the others go on.
    func stopFirstInstance() async throws {
        try await self.instances.first?.stop()
    }
}

/// An instance on a free port of the loopback address.
struct DemoInstance: Sendable {
    let port: Announcement<Int>
    let services: [any Service]
    let live: LiveFeed
    private let server: StoppableService

    init(_ instance: Instance, logger: Logger) {
        let port = Announcement<Int>()
        let application = instance.server.application(listen: ListenAddress(host: "127.0.0.1", port: 0), logger: logger) { port.make($0) }
        self.port = port
        self.server = StoppableService(application, logger: logger)
        self.live = instance.live
        self.services = [instance.publisher, instance.notifier, self.server, instance.live]
    }

    func stop() async throws {
        self.live.end()
        try await self.server.stop()
    }
}

/// The proxy in front, which begins when the instances have their ports.
private struct DemoProxy: Service {
    let listen: ListenAddress
    let instances: [DemoInstance]
    let logger: Logger
    let address = Announcement<String>()

    func run() async throws {
        var settings = ProxySettings()
        settings.listen = self.listen
        for instance in self.instances {
            settings.upstreams.append(ListenAddress(host: "127.0.0.1", port: try await instance.port.value()))
        }
        let proxy = try settings.proxy(logger: self.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run() }
            group.addTask {
                let port = try await proxy.address().port
                self.address.make("http://\(ListenAddress(host: self.listen.host, port: port))")
            }
            try await group.waitForAll()
        }
    }
}
