import Foundation
import QueueKit
import ScaleCore

/// How many messages a queue holds; nil is what its broker does not tell.
public struct QueueReport: Codable, Equatable, Sendable {
    public var name: String
    public var ready: Int
    public var delayed: Int?
    public var running: Int?
    public var dead: Int
}

/// A dead letter as operators see it: never what the job was called with.
public struct DeadLetterReport: Codable, Equatable, Sendable {
    /// Nil when the message has none that can be read.
    public var id: String?
    public var task: String?
    public var reason: String
    /// ISO 8601, UTC.
    public var at: String

    init(_ letter: DeadLetter) {
        self.id = letter.message.headers["id"]?.stringValue
        self.task = letter.message.headers["task"]?.stringValue
        self.reason = letter.reason
        self.at = PlainText.time(letter.at)
    }
}

/// A job's state as operators see it.
public struct JobReport: Sendable {
    private let status: JobStatus

    init(_ status: JobStatus) {
        self.status = status
    }

    /// As Celery's result backends show it, on one line.
    public var json: String { self.status.json(extended: true).jsonText() }

    /// A name and a value on each line.
    public var text: String {
        var rows = [
            ["id:", self.status.id.rawValue], ["state:", self.status.state.rawValue], ["retries:", "\(self.status.retries)"],
            ["result:", self.status.result.jsonText()],
        ]
        if let failure = self.status.failure { rows.append(["failure:", failure.description]) }
        if let end = self.status.finishedAt { rows.append(["finished:", PlainText.time(end)]) }
        return PlainText.table(rows)
    }
}
