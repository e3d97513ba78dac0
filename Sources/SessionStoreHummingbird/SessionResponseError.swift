#if Hummingbird
public import HTTPTypes
public import Hummingbird

/// A handler's error together with what its session adds to the answer.
///
/// Thrown onward in place of an error with a status below 500 when the handler used the session. Middleware further out that looks for
/// errors of its own type finds it in ``original``.
public struct SessionResponseError: HTTPResponseError {
    /// What the handler threw.
    public let original: any HTTPResponseError

    let headers: SessionResponseHeaders

    init(original: any HTTPResponseError, headers: SessionResponseHeaders) {
        self.original = original
        self.headers = headers
    }

    public var status: HTTPResponse.Status { self.original.status }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = try self.original.response(from: request, context: context)
        self.headers.apply(to: &response.headers)
        return response
    }
}

extension SessionResponseError: CustomStringConvertible {
    /// The original's description: the headers hold the id.
    public var description: String { String(describing: self.original) }
}

extension SessionResponseError: CustomReflectable {
    public var customMirror: Mirror { Mirror(self, children: ["original": self.original]) }
}
#endif
