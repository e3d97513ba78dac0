import HTTPTypes
import Hummingbird
import Logging
import QueueKit

/// Sending a notification in the background, and what became of it.
struct JobRoutes: Sendable {
    let database: ProfileDatabase
    let queue: JobQueue

    static let endpoints = [
        EndpointTable.Endpoint("/profiles/{id}/notifications", [.post]),
        EndpointTable.Endpoint("/jobs/{job}", [.get]),
    ]

    func add(to router: Router<ProfileContext>) {
        router.post("/profiles/{id}/notifications", use: self.notify)
        router.get("/jobs/{job}", use: self.status)
    }

    @Sendable func notify(_ request: Request, _ context: ProfileContext) async throws -> Response {
        let id = try PathID.parse(request.pathSegment(1))
        _ = try await context.user()
        guard try await self.database.profileExists(id) else { throw ProfileRoutes.noSuchProfile }
        try await context.checkSessionIsAlive()
        let job = try await self.asking(context) { try await $0.enqueue(SendEmailNotification(userID: id)).id }
        return Response.json(["job": job.rawValue], status: .accepted)
    }

    @Sendable func status(_ request: Request, _ context: ProfileContext) async throws -> Response {
        guard let id = JobID(rawValue: String(request.pathSegment(1))),
            let status = try await self.asking(context, { try await $0.status(of: id) })
        else {
            throw HTTPFailure(.notFound, "no such job")
        }
        let answer: JSONValue = [
            "state": .string(status.state.rawValue),
            "result": status.state.isFinal ? status.resultJSON : .null,
            "retries": .integer(Int64(status.retries)),
        ]
        return Response.json(bytes: Array(answer.jsonText().utf8))
    }

    /// 503 where the broker or the results cannot be reached; the client cannot know that it is its turn to try again by anything else.
    private func asking<Value>(_ context: ProfileContext, _ call: (JobQueue) async throws -> Value) async throws -> Value {
        do {
            return try await call(self.queue)
        } catch let error as QueueError where [.unavailable, .timeout, .accessRefused].contains(error.code) {
            context.logger.error("the queue cannot be reached: \(error)")
            throw HTTPFailure(.serviceUnavailable, "jobs cannot be reached now, try again soon")
        }
    }
}
