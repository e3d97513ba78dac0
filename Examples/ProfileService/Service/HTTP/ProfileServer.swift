import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import QueueKit
import ServiceLifecycle
import SessionStore
import SessionStoreHummingbird

/// One instance of the service: the routes over the parts it stands on, listening at an address.
struct ProfileServer: Sendable {
    let database: ProfileDatabase
    let hasher: PasswordHasher
    let list: ProfileListCache
    let notifier: CacheNotifier
    let sessions: Sessions<ProfileSession>
    let throttle: any LoginThrottle
    let analytics: any Analytics
    let queue: JobQueue
    let live: LiveFeed
    let readiness: Readiness
    let metrics: PrometheusRegistry
    let addresses: ClientAddress
    let insecureCookies: Bool

    /// The HTTP server as a service that ends gracefully.
    ///
    /// - Parameter onListening: is told the port, once the server listens.
    func application(
        listen: ListenAddress, logger: Logger, onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> some ApplicationProtocol {
        Application(
            router: self.router(),
            server: HTTPServerBuilder { responder in
                ProfileChannel(
                    http1: HTTP1Channel(
                        responder: responder,
                        configuration: .init(additionalChannelHandlers: [CloseAfterRefusal()], idleTimeout: .seconds(75))))
            },
            configuration: .init(address: .hostname(listen.host, port: listen.port), backlog: 4096),
            onServerRunning: { await onListening($0.localAddress?.port ?? listen.port) },
            logger: logger)
    }

    func router() -> Router<ProfileContext> {
        let router = Router(context: ProfileContext.self, options: .autoGenerateHeadEndpoints)
        let endpoints =
            AccountRoutes.endpoints + ProfileRoutes.endpoints + LiveRoutes.endpoints + JobRoutes.endpoints + OperationsRoutes.endpoints
        router.add(middleware: AccessLog())
        router.add(middleware: ErrorAnswers())
        router.add(middleware: RequestLimits(table: EndpointTable(endpoints: endpoints)))
        router.add(middleware: SessionMiddleware(self.sessions, insecureCookies: self.insecureCookies))
        AccountRoutes(database: self.database, hasher: self.hasher, throttle: self.throttle, notifier: self.notifier).add(to: router)
        ProfileRoutes(
            database: self.database, list: self.list, notifier: self.notifier, analytics: self.analytics, addresses: self.addresses
        ).add(to: router)
        LiveRoutes(feed: self.live, addresses: self.addresses).add(to: router)
        JobRoutes(database: self.database, queue: self.queue).add(to: router)
        OperationsRoutes(readiness: self.readiness, metrics: self.metrics, analytics: self.analytics).add(to: router)
        return router
    }
}
