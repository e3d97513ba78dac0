import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// What operators ask: health, readiness, metrics, and what is viewed.
struct OperationsRoutes: Sendable {
    let readiness: Readiness
    let metrics: PrometheusRegistry
    let analytics: any Analytics

    static let endpoints = [
        EndpointTable.Endpoint("/analytics", [.get]),
        EndpointTable.Endpoint("/healthz", [.get]),
        EndpointTable.Endpoint("/metrics", [.get]),
        EndpointTable.Endpoint("/readyz", [.get]),
    ]

    func add(to router: Router<ProfileContext>) {
        router.get("/analytics", use: self.report)
        router.get("/healthz") { _, _ in Response.json(["status": "ok"]) }
        router.get("/metrics", use: self.exposition)
        router.get("/readyz", use: self.ready)
    }

    @Sendable func report(_ request: Request, _ context: ProfileContext) async throws -> Response {
        do {
            return Response.json(try await self.analytics.report(limit: 10))
        } catch {
            context.logger.warning("analytics cannot be read: \(error)")
            throw HTTPFailure(.serviceUnavailable, "analytics cannot be reached, try again soon")
        }
    }

    @Sendable func ready(_ request: Request, _ context: ProfileContext) async throws -> Response {
        let states = await self.readiness.states()
        let isReady = states.values.allSatisfy { $0 == .up }
        return Response.json(states.mapValues(\.rawValue), status: isReady ? .ok : .serviceUnavailable)
    }

    @Sendable func exposition(_ request: Request, _ context: ProfileContext) async throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: self.metrics.exposition())))
    }
}
