import QueueKit

/// A job that is enqueued here, run by a worker, and whose result comes back.
public enum QueueTour {
    // snippet: job
    /// A job is its payload; the worker brings the handler and what it needs.
    struct SendEmailNotification: Job {
        static let name = "myapp.tasks.send_email_notification"
        typealias Output = String
        var userID: Int
        enum CodingKeys: String, CodingKey { case userID = "user_id" }  // Python's keyword
    }
    // end snippet

    public static func run(say: @escaping @Sendable (String) -> Void) async throws {
        // snippet: queue
        let queue = JobQueue()  // within the process; JobQueue(sqlite:) is durable
        let worker = Worker(queue, concurrency: 4) {
            $0.handle(SendEmailNotification.self) { job, context in "sent to user \(job.userID)" }
        }
        let running = Task { try await worker.run() }

        let receipt = try await queue.enqueue(SendEmailNotification(userID: 7))
        say(try await receipt.value(timeout: .seconds(30)))
        say("\(try await receipt.state())")
        // end snippet

        running.cancel()
    }
}
