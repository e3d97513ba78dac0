import HTTPTypes
import Hummingbird
import Logging
import SessionStore
import SessionStoreHummingbird

/// Turns whatever a handler throws into a JSON answer, without its body for HEAD, and ends the connection after a refusal whose
/// body was not read.
struct ErrorAnswers: RouterMiddleware {
    typealias Context = ProfileContext

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            response = try self.answer(to: error, request: request, context: context)
        }
        if response.status.code >= 400, self.mayHaveLongBody(request) {
            response.headers[.connection] = "close"
        }
        guard request.method == .head else { return response }
        var head = response.createHeadResponse()
        // Of a stream nobody knows the length, and a HEAD that names one names the GET's (RFC 9110 §8.6).
        head.headers[.contentLength] = response.headers[.contentLength]
        return head
    }

    private func answer(to error: any Error, request: Request, context: Context) throws -> Response {
        switch error {
        case let error as SessionError where error.code == .noSession || error.code == .ended:
            return Response.json(["error": "log in first"], status: .unauthorized)
        case let error as SessionError:
            context.logger.error("sessions: \(error)")
            return Response.json(["error": "sessions cannot be reached, try again soon"], status: .serviceUnavailable)
        case is CancellationError:
            // The service has been told to end, and this request had all the time that there was.
            return Response.json(["error": "the service is ending"], status: .serviceUnavailable)
        case let error as HTTPError:
            return Response.json(["error": error.body ?? error.status.reasonPhrase], status: error.status, headers: error.headers)
        case let error as any HTTPResponseError:
            return try error.response(from: request, context: context)
        default:
            context.logger.error("\(request.method) \(request.uri.path): \(error)")
            return Response.json(["error": "internal error"], status: .internalServerError)
        }
    }

    private func mayHaveLongBody(_ request: Request) -> Bool {
        guard request.headers[.transferEncoding] == nil else { return true }
        return request.headers[.contentLength].flatMap { Int($0) }.map { $0 > JSONBody.maximumBytes } ?? false
    }
}
