public import Logging
public import Metrics
import NIOCore
import NIOPosix
public import ScaleCore
public import ServiceLifecycle
public import Tracing

/// An HTTP/1.1 reverse proxy inside your process: it listens, picks an endpoint for each request, and relays bodies both ways as they come.
///
/// ```swift
/// let proxy = try ReverseProxy(ProxyConfiguration(endpoints: ["10.0.0.1:8001", "10.0.0.2:8001"]))
/// try await proxy.run()
/// ```
///
/// What it does with a request is what nginx does with `proxy_pass`, an `upstream` with `keepalive`, and `proxy_request_buffering off`:
/// bodies are never held, so an endpoint sees a request while the client still sends it, and neither side is read faster than the other
/// takes it. It is stricter than nginx about what HTTP is: whatever two servers could read differently is refused, on both sides
/// (RFC 9112). Upgrades are passed where a route says so; elsewhere a request for one is answered without. A route may also answer with
/// files (``StaticFiles``), and limit how many requests it takes (``TrafficLimits``). Clients speak TLS where ``ProxyConfiguration/tls`` is set.
///
/// A graceful shutdown stops accepting, lets requests in flight finish, closes idle connections, and takes at most
/// ``ProxyTimeouts/shutdown``. Cancelling the task cuts all connections. Files of the access log then have five seconds to take their last
/// lines; what they have not taken by then is lost, and counted in the log.
public final class ReverseProxy: Service, Sendable {
    private let plan: ProxyPlan
    private let pending = PendingResult<ProxyAddress>()
    private let hasRun = Locked(false)

    /// Makes a proxy; nothing is bound before ``run()``.
    ///
    /// - Parameters:
    ///   - logger: hears of refused requests (`info`), of failing upstreams (`warning`) and of each request (``ProxyConfiguration/accessLog``);
    ///     no line holds a query, a header field's value or a body.
    ///   - metrics: where counts go; the bootstrapped system by default. `proxy.requests` by class of `status`, `proxy.upstream.connects`,
    ///     `proxy.upstream.retries`, `proxy.responses.lost`, `proxy.connections.active`, `http.server.request.duration`.
    ///   - tracer: gets a span of kind server for each request, as a child of what the client's header fields name, and writes the
    ///     fields for the upstream (`traceparent` with a W3C tracer). Nil is the bootstrapped system's. Without a tracer a client's fields
    ///     go on unchanged.
    ///   - time: what time-outs and endpoints' health are measured by.
    /// - Throws: ``ProxyError`` with the code `invalidConfiguration`, which names the setting.
    public init(
        _ configuration: ProxyConfiguration, logger: Logger = Logger(label: "BalancerKitProxy"),
        metrics: any MetricsFactory = MetricsSystem.factory, tracer: (any Tracer)? = nil, time: TimeSource = .system
    ) throws(ProxyError) {
        self.plan = try ProxyPlan(
            configuration, logger: logger, metrics: metrics, tracer: tracer ?? InstrumentationSystem.tracer, time: time)
    }

    /// Where the proxy listens, with the port that the system chose. Waits until it does.
    ///
    /// - Throws: the error with which ``run()`` failed; ``ProxyError`` with the code `stopped` when it ended before it listened.
    public func address() async throws(ProxyError) -> ProxyAddress {
        try await self.pending.value()
    }

    /// Reads the certificates' files again, and shows them to clients that connect from now on. Does nothing without TLS.
    ///
    /// - Throws: ``ProxyError`` with the code `invalidCertificate` and the file, when one cannot be used; all then stays as it was.
    public func reloadCertificates() async throws(ProxyError) {
        guard let certificates = self.plan.certificates else { return }
        do {
            try await NIOThreadPool.singleton.runIfActive { try certificates.load() }
            self.plan.log.certificatesLoaded()
        } catch {
            let error = error as? ProxyError ?? ProxyError(code: .stopped, message: "no thread is left to read files")
            self.plan.log.certificatesKept(after: error)
            throw error
        }
    }

    /// Opens the files of the access log anew, or makes them where they were moved away: nginx's `USR1`. Lines that are being written go to
    /// the old ones. Does nothing without such files.
    ///
    /// - Throws: ``ProxyError`` with the code `unwritableLog` and the file, when one cannot be opened, which is in the log, too: it goes on as
    ///   it was, and the others are opened all the same. With the code `stopped` when the task is cancelled while a disk does not answer.
    public func reopenLogs() async throws(ProxyError) {
        guard !self.plan.logs.files.isEmpty else { return }
        do {
            try await self.plan.logs.open()
        } catch {
            self.plan.log.accessLogKept(after: error)
            throw error
        }
        self.plan.log.accessLogsOpened()
    }

    /// Serves until the graceful shutdown or the task's cancellation. A proxy runs once.
    ///
    /// - Throws: ``ProxyError`` when it cannot listen.
    public func run() async throws {
        let isFirst = self.hasRun.withLock { hasRun in
            defer { hasRun = true }
            return !hasRun
        }
        guard isFirst else { throw ProxyError(code: .stopped, message: "a proxy runs only once") }
        defer { self.pending.resolve(.failure(ProxyError(code: .stopped, message: "the proxy has ended"))) }
        let listener = Listener(self.plan)
        do {
            let address = try await listener.start()
            self.plan.log.listening(on: address)
            self.pending.resolve(.success(address))
        } catch let error as ProxyError {
            self.pending.resolve(.failure(error))
            await listener.stop()
            throw error
        }
        // Throws when the task is cancelled; then there is nothing to wait for.
        let isGraceful = (try? await gracefulShutdown()) != nil
        await withTaskCancellationHandler {
            await listener.drain(isGraceful ? self.plan.configuration.timeouts.shutdown : .zero)
        } onCancel: {
            listener.cut()
        }
        await listener.stop()
    }
}
