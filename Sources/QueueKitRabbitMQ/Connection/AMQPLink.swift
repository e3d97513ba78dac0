internal import QueueKit
internal import ScaleCore

/// Opens a connection that tells its events to the closure.
typealias AMQPOpener = @Sendable (_ onEvents: @escaping AMQPEventHandler) async throws -> AMQPConnection

/// A connection for calls that wait for the server's answer, made when it is first needed and again when it was lost.
actor AMQPLink {
    private let open: AMQPOpener
    private var opening: Task<AMQPConnection, any Error>?
    private var isClosed = false

    init(open: @escaping AMQPOpener) {
        self.open = open
    }

    /// Runs `body` with the connection; once more with a new one when the old one turns out to be lost.
    func run<Value: Sendable>(
        queue: String? = nil, _ body: @Sendable (AMQPConnection) async throws -> Value
    ) async throws -> Value {
        do {
            let task = try self.connection()
            do {
                return try await body(try await task.value)
            } catch AMQPFailure.lost {
                self.forget(task)
                return try await body(try await self.connection().value)
            }
        } catch let failure as AMQPFailure {
            switch failure {
            case .lost, .denied: self.opening = nil
            case .refused: break
            }
            throw failure.error(queue: queue)
        }
    }

    func close() async {
        self.isClosed = true
        let opening = self.opening
        self.opening = nil
        try? await opening?.value.close()
    }

    private func connection() throws -> Task<AMQPConnection, any Error> {
        guard !self.isClosed else { throw QueueError.brokerClosed }
        let task = self.opening ?? Task { [open] in try await open { _ in } }
        self.opening = task
        return task
    }

    /// Another caller may have made a new one already.
    private func forget(_ task: Task<AMQPConnection, any Error>) {
        if self.opening == task { self.opening = nil }
    }
}

extension QueueError {
    static let brokerClosed = QueueError(code: .closed, message: "the broker has been shut down")
}

extension RetryPolicy {
    /// Between attempts to reach the server.
    static let reconnect = RetryPolicy(baseDelay: .milliseconds(200), maximumDelay: .seconds(5), jitter: .equal, maximumAttempts: nil)
}
