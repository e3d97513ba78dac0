import NIOCore
import NIOPosix
import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The listening sockets and the event loops behind them, from bind to the last connection's end.
final class Listener: Sendable {
    private struct State {
        var workers: [NIOLoopBound<LoopWorker>] = []
        var sockets: [any Channel] = []
        /// The path that was bound, to be removed with the socket.
        var unixSocket: String?
        var watch: RepeatedTask?
    }

    private let plan: ProxyPlan
    private let group: MultiThreadedEventLoopGroup
    private let ownsGroup: Bool
    private let state = Locked(State())

    init(_ plan: ProxyPlan) {
        self.plan = plan
        if let threads = plan.configuration.threads {
            self.group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
            self.ownsGroup = true
        } else {
            self.group = .singleton
            self.ownsGroup = false
        }
    }

    private var workers: [NIOLoopBound<LoopWorker>] { self.state.withLock { $0.workers } }

    /// Binds and begins to accept.
    func start() async throws -> ProxyAddress {
        if let certificates = self.plan.certificates {
            try await NIOThreadPool.singleton.runIfActive { try certificates.load() }
            self.watchCertificates(certificates)
        }
        try await self.plan.logs.open()
        let workers = try await self.makeWorkers()
        self.state.withLock { $0.workers = workers }
        do {
            guard let path = self.plan.configuration.unixSocket else { return try await self.bindPorts(workers) }
            return try await self.bindUnixSocket(path, workers)
        } catch {
            throw Self.error(error, self.plan.configuration)
        }
    }

    /// Looks for changed files every now and then, on a thread that may block.
    private func watchCertificates(_ certificates: CertificateStore) {
        guard let interval = certificates.settings.reloadInterval else { return }
        let delay = TimeAmount.nanoseconds(interval.wholeNanoseconds)
        let loop = self.group.next()
        let log = self.plan.log
        let watch = loop.scheduleRepeatedAsyncTask(initialDelay: delay, delay: delay) { _ in
            NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
                do {
                    if try certificates.loadIfChanged() { log.certificatesLoaded() }
                } catch {
                    if let error = error as? ProxyError { log.certificatesKept(after: error) }
                }
            }
        }
        self.state.withLock { $0.watch = watch }
    }

    /// One socket for all event loops, or one for each.
    private func bindPorts(_ workers: [NIOLoopBound<LoopWorker>]) async throws -> ProxyAddress {
        let configuration = self.plan.configuration
        var port = configuration.port
        for loop in configuration.reusesPort ? workers.map(\.eventLoop) : [self.group.next()] {
            let children: any EventLoopGroup = configuration.reusesPort ? loop : self.group
            let socket = try await self.bootstrap(loop, children, workers).bind(host: configuration.host, port: port).get()
            self.state.withLock { $0.sockets.append(socket) }
            port = socket.localAddress?.port ?? port
        }
        let host = self.state.withLock { $0.sockets.first?.localAddress?.ipAddress }
        return ProxyAddress(host: host ?? configuration.host, port: port)
    }

    private func bindUnixSocket(_ path: String, _ workers: [NIOLoopBound<LoopWorker>]) async throws -> ProxyAddress {
        // A file that is left over from a process that has ended refuses connections; one that is in use takes them.
        let isLeftOver: Bool
        do {
            try await ClientBootstrap(group: self.group).connect(unixDomainSocketPath: path).get().close().get()
            isLeftOver = false
        } catch {
            isLeftOver = (error as? IOError)?.errnoCode == ECONNREFUSED
        }
        let socket = try await self.bootstrap(self.group.next(), self.group, workers)
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: isLeftOver).get()
        self.state.withLock { state in
            state.sockets.append(socket)
            state.unixSocket = path
        }
        return ProxyAddress(unixSocket: path)
    }

    private func makeWorkers() async throws -> [NIOLoopBound<LoopWorker>] {
        var workers: [NIOLoopBound<LoopWorker>] = []
        for loop in self.group.makeIterator() {
            let worker = try await loop.submit { [plan] in
                let worker = LoopWorker(plan, on: loop)
                worker.startTimer()
                return NIOLoopBound(worker, eventLoop: loop)
            }.get()
            workers.append(worker)
        }
        return workers
    }

    private func bootstrap(
        _ loop: any EventLoop, _ children: any EventLoopGroup, _ workers: [NIOLoopBound<LoopWorker>]
    ) -> ServerBootstrap {
        var bootstrap = ServerBootstrap(group: loop, childGroup: children)
            .serverChannelOption(.backlog, value: Int32(clamping: self.plan.configuration.backlog))
            // The default of 4 would make a burst of connections wait for as many turns of the loop.
            .serverChannelOption(.maxMessagesPerRead, value: 256)
            // Out of file descriptors, `accept` fails at once and again; with this, not before a second has passed.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler()) }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let worker = workers.first(where: { $0.eventLoop === channel.eventLoop })?.value else {
                        throw ChannelError.inappropriateOperationForState
                    }
                    let connection = ClientConnection(worker, at: worker.now())
                    if let certificates = worker.plan.certificates {
                        try channel.pipeline.syncOperations.addHandler(TLSDoor(certificates, before: connection))
                    }
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
        guard self.plan.configuration.unixSocket == nil else { return bootstrap }
        bootstrap = bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        guard self.plan.configuration.reusesPort else { return bootstrap }
        return bootstrap.serverChannelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
    }

    private static func error(_ error: any Error, _ configuration: ProxyConfiguration) -> ProxyError {
        let address = configuration.unixSocket.map(ProxyAddress.init(unixSocket:))
        let place = (address ?? ProxyAddress(host: configuration.host, port: configuration.port)).description
        guard let error = error as? IOError else {
            return ProxyError(code: .cannotBind, message: "the address cannot be resolved or bound", place: place)
        }
        guard error.errnoCode == EADDRINUSE else {
            return ProxyError(code: .cannotBind, message: String(cString: strerror(error.errnoCode)), place: place)
        }
        return ProxyError(code: .addressInUse, message: "the address is in use", place: place)
    }

    // MARK: The end

    /// Stops accepting, and waits until every client has gone or `limit` has passed.
    func drain(_ limit: Duration) async {
        await self.closeSockets()
        let workers = self.workers
        let drained = workers.map { worker in worker.eventLoop.flatSubmit { worker.value.drain() } }
        let timer = self.group.next().scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) { self.cut() }
        for future in drained { try? await future.get() }
        timer.cancel()
    }

    /// Closes every client's connection now.
    func cut() {
        for worker in self.workers {
            worker.eventLoop.execute { self.plan.log.stopped(cut: worker.value.cutClients()) }
        }
    }

    /// Lets go of everything.
    func stop() async {
        await self.closeSockets()
        self.state.withLock { $0.watch }?.cancel()
        for worker in self.workers {
            try? await worker.eventLoop.submit { worker.value.stop() }.get()
        }
        await self.plan.logs.end(within: AccessLogs.patience, on: self.group.next())
        if self.ownsGroup { try? await self.group.shutdownGracefully() }
    }

    private func closeSockets() async {
        let (sockets, path) = self.state.withLock { state in
            defer {
                state.sockets = []
                state.unixSocket = nil
            }
            return (state.sockets, state.unixSocket)
        }
        for socket in sockets { try? await socket.close().get() }
        if let path { unlink(path) }
    }
}
