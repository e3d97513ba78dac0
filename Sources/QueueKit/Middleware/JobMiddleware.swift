/// Something that takes part in every job's way: in front of the broker, and around the handler.
///
/// Middleware of a queue runs in its order when a job is enqueued and, at the worker, from the outside in. Both parts are optional.
public protocol JobMiddleware: Sendable {
    /// Looks at, changes or refuses (by throwing) a call before it is enqueued. Not called for retries.
    ///
    /// It cannot wait, since a job may be enqueued within a database transaction.
    func prepare(_ message: inout TaskMessage, for queue: String) throws

    /// Runs the handler by calling `next`, once. What it throws counts as the handler's error.
    func run(_ context: JobContext, next: () async throws -> Void) async throws
}

extension JobMiddleware {
    public func prepare(_ message: inout TaskMessage, for queue: String) throws {}

    public func run(_ context: JobContext, next: () async throws -> Void) async throws {
        try await next()
    }
}
