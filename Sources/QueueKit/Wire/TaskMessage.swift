public import ScaleCore

/// A call of a task in Celery's message protocol 2: what the headers and the three-element body say, typed.
///
/// The format is that of Celery 5 (`celery.app.amqp`, `as_task_v2`), which its documentation calls "Message Protocol 2".
public struct TaskMessage: Hashable, Sendable {
    /// The task's registered name.
    public var task: String
    public var id: JobID
    /// Positional arguments.
    public var arguments: [JSONValue] = []
    /// Keyword arguments.
    public var keywordArguments: JSONObject = [:]
    /// Callbacks, chain and chord that ride with the call. Kept as they came; a worker sends what follows, see ``Worker``.
    public var embed = TaskMessage.emptyEmbed
    /// Not before this time.
    public var eta: UTCTime?
    /// Not after this time: then the job is revoked.
    public var expires: UTCTime?
    /// How often the job has been tried again.
    public var retries = 0
    /// When this passes, the handler's task is cancelled and the try has failed.
    public var softTimeLimit: Duration?
    /// When this passes, the job has failed, whatever its handler does.
    public var hardTimeLimit: Duration?
    public var rootID: JobID?
    public var parentID: JobID?
    public var group: String?
    public var groupIndex: Int?
    public var shadow: String?
    public var origin: String?
    public var ignoresResult: Bool?
    public var replyTo: String?
    public var priority = 0
    /// Headers that Celery does not know; a Python task reads them as `request.headers`. Trace context is among them.
    public var userHeaders: JSONObject = [:]

    public init(task: String, id: JobID) {
        self.task = task
        self.id = id
    }

    /// Whether something shall follow this call: an entry of ``embed`` that is neither `null` nor an empty list.
    package var hasFollowers: Bool {
        self.embed.contains { !$0.value.isNull && $0.value.arrayValue?.isEmpty != true }
    }

    /// `{"callbacks": null, "errbacks": null, "chain": null, "chord": null}`
    public static let emptyEmbed: JSONObject = ["callbacks": nil, "errbacks": nil, "chain": nil, "chord": nil]

    /// Headers of Celery's own, in the order in which they are written. All of them are always written.
    private static let headerNames = [
        "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id", "parent_id",
        "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers", "stamps",
    ]

    /// These and others that Celery uses, by their length: of one length there are three at most, which are compared sooner than hashed.
    private static let knownHeaders = Dictionary(grouping: headerNames + ["compression", "meth"], by: \.utf8.count)

    private static func isKnown(_ header: String) -> Bool {
        Self.knownHeaders[header.utf8.count]?.contains { $0.hasSameBytes(as: header) } ?? false
    }
}

// MARK: - To a message

extension TaskMessage {
    /// This call as a message with properties, headers and body.
    ///
    /// `argsrepr` and `kwargsrepr`, which Celery puts into logs and Flower shows, say how many arguments there are and not what
    /// they are.
    public func message(at now: UTCTime) -> Message {
        var properties = Message.Properties()
        properties.contentType = "application/json"
        properties.contentEncoding = "utf-8"
        properties.priority = self.priority
        properties.correlationID = self.id.rawValue
        properties.replyTo = self.replyTo
        if let expires {
            properties.expiration = String(max(0, now.duration(to: expires).wholeMillisecondsRoundedUp))
        }
        return Message(headers: self.headers(), properties: properties, body: self.body())
    }

    private func headers() -> JSONObject {
        var headers = JSONObject(
            distinctKeys: Self.headerNames,
            [
                .string("swift"),  // lang
                .string(self.task),
                .string(self.id.rawValue),
                .orNull(self.shadow),
                .orNull(self.eta.map(Timestamp.text)),
                .orNull(self.expires.map(Timestamp.text)),
                .orNull(self.group),
                self.groupIndex.map { .integer(Int64($0)) } ?? .null,
                .integer(Int64(self.retries)),
                .array([Self.seconds(self.hardTimeLimit), Self.seconds(self.softTimeLimit)]),
                .string((self.rootID ?? self.id).rawValue),
                .orNull(self.parentID?.rawValue),
                .string(Self.countText(self.arguments.count)),
                .string(Self.countText(self.keywordArguments.count)),
                .orNull(self.origin),
                .bool(self.ignoresResult ?? false),
                .integer(0),  // replaced_task_nesting
                .null,  // stamped_headers
                .object(Self.noStamps),
            ])
        for (key, value) in self.userHeaders where !Self.isKnown(key) { headers[key] = value }
        return headers
    }

    private static let noStamps = JSONObject()

    private func body() -> [UInt8] {
        JSONValue.array([.array(self.arguments), .object(self.keywordArguments), .object(self.embed)]).jsonBytes()
    }

    private static func countText(_ count: Int) -> String {
        count == 0 ? "" : "<\(count)>"
    }

    /// Celery counts limits in seconds; whole ones are written without a fraction.
    private static func seconds(_ duration: Duration?) -> JSONValue {
        guard let duration else { return .null }
        let seconds = duration.fractionalSeconds
        return Int64(exactly: seconds).map(JSONValue.integer) ?? .double(seconds)
    }
}

// MARK: - From a message

/// Why a message cannot be run. Names what is wrong with the message, and shows no part of its arguments.
public struct MalformedMessage: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) {
        self.description = description
    }
}

extension TaskMessage {
    /// The call in `message`, whoever wrote it.
    ///
    /// Only `task`, `id`, a content type of JSON and a body of three elements must be there; every other header may be missing or
    /// `null`. A header of a wrong kind is an error where it would change what is run (`eta`, `expires`, `retries`, `timelimit`)
    /// and ignored where it only informs.
    public init(_ message: Message, limits: JSONLimits = .init()) throws(MalformedMessage) {
        let headers = message.headers
        guard let task = headers["task"]?.stringValue, !task.isEmpty else { throw MalformedMessage("no task header") }
        guard let id = Self.id(of: message) else { throw MalformedMessage("no id header of 1 to 255 bytes") }
        self.init(task: task, id: id)
        try self.readHeaders(headers)
        self.replyTo = message.properties.replyTo
        self.priority = message.properties.priority
        for (key, value) in headers where !Self.isKnown(key) { self.userHeaders[key] = value }
        try self.readBody(of: message, limits: limits)
    }

    /// The job's id if the message names a usable one, however broken the rest is.
    package static func id(of message: Message) -> JobID? {
        message.headers["id"]?.stringValue.flatMap(JobID.init(rawValue:))
    }

    private mutating func readHeaders(_ headers: JSONObject) throws(MalformedMessage) {
        self.eta = try Self.time(headers["eta"], name: "eta")
        self.expires = try Self.time(headers["expires"], name: "expires")
        switch headers["retries"] {
        case nil, .null?: break
        case let value?:
            guard let retries = value.integerValue.flatMap({ Int(exactly: $0) }), (0...1_000_000).contains(retries) else {
                throw MalformedMessage("the retries header is not a count")
            }
            self.retries = retries
        }
        try self.readTimeLimits(headers["timelimit"])
        self.rootID = headers["root_id"]?.stringValue.flatMap(JobID.init(rawValue:))
        self.parentID = headers["parent_id"]?.stringValue.flatMap(JobID.init(rawValue:))
        self.group = headers["group"]?.stringValue
        self.groupIndex = headers["group_index"]?.integerValue.flatMap { Int(exactly: $0) }
        self.shadow = headers["shadow"]?.stringValue
        self.origin = headers["origin"]?.stringValue
        self.ignoresResult = headers["ignore_result"]?.boolValue
    }

    private mutating func readTimeLimits(_ header: JSONValue?) throws(MalformedMessage) {
        guard let header, !header.isNull else { return }
        guard let limits = header.arrayValue, limits.count == 2 else { throw MalformedMessage("the timelimit header is not a pair") }
        // Hard first, whatever Celery's own page on the protocol says: its code and its messages agree on this order.
        self.hardTimeLimit = try Self.limit(limits[0])
        self.softTimeLimit = try Self.limit(limits[1])
    }

    private static func limit(_ value: JSONValue) throws(MalformedMessage) -> Duration? {
        if value.isNull { return nil }
        guard let seconds = value.doubleValue, seconds > 0 else { throw MalformedMessage("a time limit is not a positive number") }
        return Duration(saturatingSeconds: seconds)
    }

    private static func time(_ value: JSONValue?, name: String) throws(MalformedMessage) -> UTCTime? {
        guard let value, !value.isNull else { return nil }
        guard let text = value.stringValue, let time = Timestamp.parse(text) else {
            throw MalformedMessage("the \(name) header is not a date-time")
        }
        return time
    }

    private mutating func readBody(of message: Message, limits: JSONLimits) throws(MalformedMessage) {
        guard let contentType = message.properties.contentType else { throw MalformedMessage("no content type") }
        guard Self.isJSON(contentType) else { throw MalformedMessage("the content type is not application/json") }
        let bytes = try Self.decompressed(message, limits: limits)
        let body: JSONValue
        do {
            body = try JSONParser.parse(bytes, limits: limits)
        } catch {
            throw MalformedMessage("the body is not JSON: \(error)")
        }
        guard let parts = body.arrayValue, parts.count == 3 else { throw MalformedMessage("the body is not an array of three") }
        guard let arguments = parts[0].arrayValue else { throw MalformedMessage("the positional arguments are not an array") }
        guard let keywordArguments = parts[1].objectValue else { throw MalformedMessage("the keyword arguments are not an object") }
        self.arguments = arguments
        self.keywordArguments = keywordArguments
        switch parts[2] {
        case .object(let embed): self.embed = embed
        case .null: break
        case .bool, .integer, .bigInteger, .double, .string, .array:
            throw MalformedMessage("the third element of the body is not an object")
        }
    }

    /// The body, taken out of Celery's compression: `gzip` and `zlib` are one thing there, a zlib stream under the type `application/x-gzip`.
    private static func decompressed(_ message: Message, limits: JSONLimits) throws(MalformedMessage) -> [UInt8] {
        guard let compression = message.headers["compression"], !compression.isNull else { return message.body }
        guard let name = compression.stringValue, ["application/x-gzip", "gzip", "zlib"].contains(name) else {
            throw MalformedMessage("a body compressed by other means than zlib")
        }
        do throws(Inflate.Failure) {
            return try Inflate.zlib(message.body, limit: limits.maximumBytes)
        } catch {
            switch error {
            case .malformed: throw MalformedMessage("the compressed body is broken")
            case .tooLarge: throw MalformedMessage("the compressed body holds more than \(limits.maximumBytes) bytes")
            }
        }
    }

    private static func isJSON(_ contentType: String) -> Bool {
        if contentType.hasSameBytes(as: "application/json") { return true }
        let media = contentType.prefix { $0 != ";" && $0 != " " }
        return media.lowercased() == "application/json"
    }
}

extension JSONValue {
    static func orNull(_ string: String?) -> JSONValue {
        string.map(JSONValue.string) ?? .null
    }
}
