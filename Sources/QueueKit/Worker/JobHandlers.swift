internal import ScaleCore

/// The tasks that a worker can run: a handler for each type of job.
public struct JobHandlers: Sendable {
    struct Entry: Sendable {
        let defaults: JobDefaults
        /// Decodes the arguments, runs the handler, encodes what it returned.
        let run: @Sendable (TaskMessage, JobContext) async throws -> JSONValue
    }

    private(set) var entries: [ExactName: Entry] = [:]

    public init() {}

    /// The names of the registered tasks.
    public var tasks: [String] { self.entries.keys.sorted().map(\.text) }

    /// Registers the handler of a job type. A second one for the same task's name replaces the first.
    ///
    /// The handler's task is cancelled when a soft time limit passes, when the worker's lease is lost, and when the worker's grace at
    /// shutdown is over. What it throws is answered by the job type's retry policy; see ``JobFailure`` and ``JobContext/retry(after:because:)``.
    ///
    /// (Disfavoured, so that a closure that only throws is not ambiguous for a job without output.)
    @_disfavoredOverload
    public mutating func handle<J: Job>(
        _ job: J.Type, _ handler: @escaping @Sendable (J, JobContext) async throws -> J.Output
    ) {
        self.entries[name: J.name] = Entry(defaults: J.defaults) { message, context in
            let payload = try message.payload(as: J.self)
            let output = try await handler(payload, context)
            return output is NoOutput ? .null : try PayloadEncoder.encode(output)
        }
    }

    /// Registers the handler of a job type that returns nothing.
    public mutating func handle<J: Job>(
        _ job: J.Type, _ handler: @escaping @Sendable (J, JobContext) async throws -> Void
    ) where J.Output == NoOutput {
        self.handle(job) { (payload: J, context: JobContext) async throws -> J.Output in
            try await handler(payload, context)
            return NoOutput()
        }
    }
}
