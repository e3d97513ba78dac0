import QueueKit

/// A task that Python calls, by keyword or by position: `send_email_notification(user_id, template="welcome")`.
struct SendEmailNotification: Job {
    static let name = "myapp.tasks.send_email_notification"
    static let defaults = JobDefaults(queue: "swift")
    typealias Output = String
    var userID: Int
    var template: String

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case template
    }

    /// Asks for the arguments in the order in which Python passes them; the second one has a default.
    init(from decoder: any Decoder) throws {
        let arguments = try decoder.container(keyedBy: CodingKeys.self)
        self.userID = try arguments.decode(Int.self, forKey: .userID)
        self.template = try arguments.decodeIfPresent(String.self, forKey: .template) ?? "welcome"
    }
}

/// A task of a Python worker, which Swift calls.
struct RenderTemplate: Job {
    static let name = "myapp.tasks.render_template"
    static let defaults = JobDefaults(queue: "python")
    typealias Output = String
    var template: String
    var userID: Int

    enum CodingKeys: String, CodingKey {
        case template
        case userID = "user_id"
    }
}
