import HTTPTypes
import Hummingbird
import NIOCore

/// What a request may be: known paths and methods, one Host, targets and header blocks of bounded size.
struct RequestLimits<Context: RequestContext>: RouterMiddleware {
    static var maximumTargetBytes: Int { 8 * 1024 }
    static var maximumHeaderBytes: Int { 32 * 1024 }

    let table: EndpointTable

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let target = request.head.path ?? "/"
        guard target.utf8.count <= Self.maximumTargetBytes else {
            throw HTTPFailure(.uriTooLong, "the request target is longer than 8 KiB")
        }
        let headerBytes = request.headers.reduce(0) { $0 + $1.name.rawName.utf8.count + $1.value.utf8.count + 4 }
        guard headerBytes <= Self.maximumHeaderBytes else {
            throw HTTPFailure(.requestHeaderFieldsTooLarge, "the header block is longer than 32 KiB")
        }
        // RFC 9112 §3.2. The first line of the name is the authority, and only further ones are among the headers.
        guard request.head.authority != nil, request.headers[.host] == nil else {
            throw HTTPFailure(.badRequest, "a request has exactly one Host header")
        }
        switch self.table.match(method: request.method, path: Substring(request.uri.path)) {
        case .unknownPath:
            throw HTTPFailure(.notFound, "no such page")
        case .notAllowed(let allow):
            throw HTTPFailure(.methodNotAllowed, "this path answers \(allow)", headers: [.allow: allow])
        case .allowed(let id):
            // Before the router, which takes a path whose id is empty for another one.
            if let id { _ = try PathID.parse(id) }
            return try await next(request, context)
        }
    }
}

extension HTTPField.Name {
    fileprivate static var host: Self { Self("Host")! }
}
