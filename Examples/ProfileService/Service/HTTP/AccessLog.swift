import HTTPTypes
import Hummingbird
import Logging
import ScaleCore

/// Writes one line per answer, at level info: method, path, status and time. Never a query, a header or a body: they hold secrets.
struct AccessLog<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let began = TimeSource.system.now()
        let response = try await next(request, context)
        context.logger.info(
            "answered",
            metadata: [
                "method": "\(request.method)", "path": "\(request.uri.path)", "status": "\(response.status.code)",
                "ms": "\(began.duration(to: TimeSource.system.now()) / .milliseconds(1))",
            ])
        return response
    }
}
