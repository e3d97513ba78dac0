import Foundation
import QueueKit
import Testing

@testable import ProfileService

/// What `jobs` is shown: jobs that wait, run, and are dead.
extension JobQueue {
    /// - Returns: the job's id.
    @discardableResult func notify(_ user: Int64, delay: Duration? = nil, on name: String? = nil) async throws -> String {
        try await self.enqueue(SendEmailNotification(userID: user), delay: delay, options: .init(queue: name)).id.rawValue
    }

    /// Takes the next job and keeps it.
    func take(from name: String? = nil) async throws -> Delivery {
        let request = ReceiveRequest(
            queues: [name ?? self.configuration.defaultQueue], limit: 1, lease: .seconds(3600), owner: "test", waits: true)
        return try #require(try await self.broker.receive(request).first)
    }

    /// - Returns: the id of a job that is dead.
    func bury(_ user: Int64, _ reason: String, on name: String? = nil) async throws -> String {
        let id = try await self.notify(user, on: name)
        try await self.broker.deadLetter(try await self.take(from: name).lease, reason: reason)
        return id
    }
}
