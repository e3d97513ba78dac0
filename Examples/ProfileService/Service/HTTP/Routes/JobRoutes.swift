import HTTPTypes
import Hummingbird
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
        let receipt = try await self.queue.enqueue(SendEmailNotification(userID: id))
        return Response.json(["job": receipt.id.rawValue], status: .accepted)
    }

    @Sendable func status(_ request: Request, _ context: ProfileContext) async throws -> Response {
        guard let id = JobID(rawValue: String(request.pathSegment(1))), let status = try await self.queue.status(of: id) else {
            throw HTTPFailure(.notFound, "no such job")
        }
        let answer: JSONValue = [
            "state": .string(status.state.rawValue),
            "result": status.state.isFinal ? status.resultJSON : .null,
            "retries": .integer(Int64(status.retries)),
        ]
        return Response.json(bytes: Array(answer.jsonText().utf8))
    }
}
