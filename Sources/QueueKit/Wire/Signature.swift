package import ScaleCore

/// A call that is still to be made, as it rides along with another one: Celery's signature (`celery.canvas.Signature`), of a single task.
///
/// `{"task": "proj.add", "args": [3], "kwargs": {}, "options": {"task_id": "…"}, "subtask_type": null, "immutable": false}`
package struct Signature: Hashable, Sendable {
    package var task: String
    package var arguments: [JSONValue]
    package var keywordArguments: JSONObject
    /// What differs from the task's own settings. Those that are not known here make no difference.
    package var options: JSONObject
    /// Whether it takes no argument but its own.
    package var isImmutable: Bool

    /// Why something is no signature that can be sent from here. Shows no part of its arguments.
    package struct Unusable: Error, Hashable, Sendable {
        package var reason: String
    }

    package init(_ json: JSONValue) throws(Unusable) {
        guard let object = json.objectValue, let task = object["task"]?.stringValue, !task.isEmpty else {
            throw Unusable(reason: "it names no task")
        }
        if let type = object["subtask_type"]?.stringValue { throw Unusable(reason: "it is a \(type.prefix(60)), and no single task") }
        self.task = task
        self.arguments = object["args"]?.arrayValue ?? []
        self.keywordArguments = object["kwargs"]?.objectValue ?? [:]
        self.options = object["options"]?.objectValue ?? [:]
        self.isImmutable = object["immutable"]?.boolValue ?? false
    }

    /// The id that whoever made the call waits for; nil for a fresh one.
    package var id: JobID? { self.options.callID }

    /// As Celery writes it.
    package var json: JSONValue {
        Self.json(self.task, self.arguments, self.keywordArguments, self.options, type: nil, isImmutable: self.isImmutable)
    }

    static func json(
        _ task: String, _ arguments: [JSONValue], _ keywords: JSONObject, _ options: JSONObject, type: String?, isImmutable: Bool
    ) -> JSONValue {
        [
            "task": .string(task), "args": .array(arguments), "kwargs": .object(keywords), "options": .object(options),
            "subtask_type": .orNull(type), "immutable": .bool(isImmutable),
        ]
    }

    /// The queue that it shall go to; nil where the worker decides. A routing key of the default exchange is a queue's name.
    package var queue: String? {
        if let name = self.options["queue"]?.stringValue { return name }
        guard self.options["exchange"]?.stringValue.map(\.isEmpty) ?? true else { return nil }
        return self.options["routing_key"]?.stringValue
    }

    /// The call on behalf of `parent`.
    ///
    /// - Parameters:
    ///   - argument: what comes before its own arguments, unless it is immutable; nil is nothing.
    ///   - rest: of the chain behind it, the next one last.
    package func call(after parent: TaskMessage, with argument: JSONValue?, rest: [JSONValue], at now: UTCTime) throws(Unusable)
        -> TaskMessage
    {
        var call = TaskMessage(task: self.task, id: self.id ?? JobID())
        call.arguments = self.isImmutable ? self.arguments : (argument.map { [$0] } ?? []) + self.arguments
        call.keywordArguments = self.keywordArguments
        call.rootID = parent.rootID ?? parent.id
        call.parentID = parent.id
        call.group = self.options["group_id"]?.stringValue
        call.groupIndex = self.options["group_index"]?.integerValue.flatMap { Int(exactly: $0) }
        call.embed["callbacks"] = Self.list(self.options["link"])
        call.embed["errbacks"] = Self.list(self.options["link_error"])
        call.embed["chain"] = rest.isEmpty ? .null : .array(rest)
        call.embed["chord"] = self.options["chord"] ?? .null
        call.replyTo = self.options["reply_to"]?.stringValue
        call.ignoresResult = self.options["ignore_result"]?.boolValue
        call.shadow = self.options["shadow"]?.stringValue
        call.userHeaders = self.options["headers"]?.objectValue ?? [:]
        call.eta = try Self.time(self.options["eta"], at: now)
        if call.eta == nil { call.eta = try Self.time(self.options["countdown"], at: now) }
        call.expires = try Self.time(self.options["expires"], at: now)
        call.softTimeLimit = Self.limit(self.options["soft_time_limit"])
        call.hardTimeLimit = Self.limit(self.options["time_limit"])
        if let priority = self.options["priority"]?.integerValue, (0...255).contains(priority) { call.priority = Int(priority) }
        return call
    }

    /// Celery writes one as itself, and several as a list.
    static func list(_ value: JSONValue?) -> JSONValue {
        switch value {
        case nil, .null?: .null
        case .array?: value ?? .null
        case let one?: .array([one])
        }
    }

    /// A time as text, or a number of seconds from now.
    private static func time(_ value: JSONValue?, at now: UTCTime) throws(Unusable) -> UTCTime? {
        guard let value, !value.isNull else { return nil }
        if let seconds = value.doubleValue { return now.advanced(by: Duration(saturatingSeconds: seconds)) }
        guard let time = value.stringValue.flatMap(Timestamp.parse) else { throw Unusable(reason: "one of its times is none") }
        return time
    }

    private static func limit(_ value: JSONValue?) -> Duration? {
        guard let seconds = value?.doubleValue, seconds > 0 else { return nil }
        return Duration(saturatingSeconds: seconds)
    }
}
