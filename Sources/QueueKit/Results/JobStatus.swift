public import ScaleCore

/// What is known about a job: its state, its result and where it comes from. Celery calls it the result's meta data.
public struct JobStatus: Hashable, Sendable {
    public var id: JobID
    public var state: JobState
    /// The handler's return value, or what a state of the task's own carries; `null` until there is one.
    public var result: JSONValue = .null
    /// Why the job failed, is retried or was revoked.
    public var failure: JobFailure?
    /// A description of where the failure happened, if the worker gave one.
    public var traceback: String?
    /// How often the job has been tried again.
    public var retries = 0
    /// When the job came to its end, by the worker's clock.
    public var finishedAt: UTCTime?
    public var parentID: JobID?
    public var groupID: String?
    /// Jobs that this one started, in Celery's notation.
    public var children: [JSONValue] = []

    public init(id: JobID, state: JobState) {
        self.id = id
        self.state = state
    }
}

extension JobStatus {
    /// This status in the JSON form that Celery's result backends store and send.
    ///
    /// `group_id` and `parent_id` appear when there is one. `retries` is not part of it unless `extended`, as with Celery's
    /// `result_extended`.
    public func json(extended: Bool = false) -> JSONValue {
        var object: JSONObject = [
            "status": .string(self.state.rawValue),
            "result": self.resultJSON,
            "traceback": .orNull(self.traceback),
            "children": .array(self.children),
            "date_done": .orNull(self.state.isFinal ? self.finishedAt.map(Timestamp.text) : nil),
            "task_id": .string(self.id.rawValue),
        ]
        if let parentID { object["parent_id"] = .string(parentID.rawValue) }
        if let groupID { object["group_id"] = .string(groupID) }
        if extended { object["retries"] = .integer(Int64(self.retries)) }
        return .object(object)
    }

    /// The result as it is shown: the value, or the failure's type, message and module.
    public var resultJSON: JSONValue {
        guard let failure, self.state.carriesFailure else { return self.result }
        return failure.json
    }

    /// Reads the JSON form, as written by any worker. `nil` when it is none.
    public init?(json: JSONValue) {
        guard let object = json.objectValue, let state = object["status"]?.stringValue,
            let id = object["task_id"]?.stringValue.flatMap(JobID.init(rawValue:))
        else { return nil }
        self.init(id: id, state: JobState(rawValue: state))
        if self.state.carriesFailure, let failure = object["result"]?.objectValue {
            self.failure = JobFailure(json: .object(failure), isPermanent: self.state != .retry)
        } else {
            self.result = object["result"] ?? .null
        }
        self.traceback = object["traceback"]?.stringValue
        self.children = object["children"]?.arrayValue ?? []
        self.finishedAt = object["date_done"]?.stringValue.flatMap(Timestamp.parse)
        self.parentID = object["parent_id"]?.stringValue.flatMap(JobID.init(rawValue:))
        self.groupID = object["group_id"]?.stringValue
        self.retries = object["retries"]?.integerValue.flatMap { Int(exactly: $0) } ?? 0
    }
}

extension JobFailure {
    /// In the form of results.
    var json: JSONValue {
        ["exc_type": .string(self.type), "exc_message": [.string(self.message)], "exc_module": .string(self.module)]
    }

    /// Reads that form, as written by any worker; what it does not say is what Python would assume.
    init(json: JSONValue, isPermanent: Bool = true) {
        let object = json.objectValue
        self.init(
            object?["exc_type"]?.stringValue ?? "Exception", Self.text(object?["exc_message"]),
            module: object?["exc_module"]?.stringValue ?? "builtins", isPermanent: isPermanent)
    }

    /// An exception's arguments: a list, or a single one.
    private static func text(_ message: JSONValue?) -> String {
        switch message {
        case nil, .null?: ""
        case .string(let text)?: text
        case .array(let parts)?: parts.map { $0.stringValue ?? $0.jsonText() }.joined(separator: ", ")
        case let other?: other.jsonText()
        }
    }
}
