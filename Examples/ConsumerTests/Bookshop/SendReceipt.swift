public import QueueKit

/// Mails the receipt of a purchase.
public struct SendReceipt: Job, Equatable {
    public static let name = "bookshop.send_receipt"
    public static let defaults = JobDefaults(retry: JobRetryPolicy(maximumRetries: 3, baseDelay: .seconds(60)))
    public typealias Output = String

    public var email: String
    public var sum: Int

    public init(email: String, sum: Int) {
        self.email = email
        self.sum = sum
    }
}

/// Sends mail.
public protocol Postman: Sendable {
    func deliver(_ text: String, to email: String) async throws
}

extension SendReceipt {
    /// Registers the handler with a worker's.
    public static func handle(in handlers: inout JobHandlers, postman: some Postman) {
        handlers.handle(SendReceipt.self) { job, _ in
            try await postman.deliver("You paid \(job.sum) cents.", to: job.email)
            return "sent"
        }
    }
}
