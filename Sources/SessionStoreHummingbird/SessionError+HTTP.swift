#if Hummingbird
public import HTTPTypes
public import Hummingbird
public import SessionStore

/// What a session's error is in HTTP when a handler lets it through. The answer has no body: the message is for the log.
extension SessionError: HTTPResponseError {
    /// 401 without a session, 409 when a conflict could not be merged, 503 while the storage is down or full, otherwise 500.
    public var status: HTTPResponse.Status {
        switch self.code {
        case .noSession, .ended: .unauthorized
        case .conflict: .conflict
        case .storageUnavailable, .storageFull, .cancelled: .serviceUnavailable
        default: .internalServerError
        }
    }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        Response(status: self.status)
    }
}
#endif
