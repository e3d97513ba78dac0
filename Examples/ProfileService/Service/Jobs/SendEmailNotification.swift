public import QueueKit

/// Tells a user by e-mail that somebody looked at the profile.
///
/// The name and the keyword are those of the Python task that the service grew from, so that either side can send and run it.
public struct SendEmailNotification: Job {
    public static let name = "myapp.tasks.send_email_notification"
    public typealias Output = String

    public static let defaults = JobDefaults(
        retry: JobRetryPolicy(maximumRetries: 5, baseDelay: .milliseconds(200), maximumDelay: .seconds(60)),
        softTimeLimit: .seconds(20), hardTimeLimit: .seconds(25))

    public var userID: Int64

    enum CodingKeys: String, CodingKey { case userID = "user_id" }

    public init(userID: Int64) {
        self.userID = userID
    }
}
