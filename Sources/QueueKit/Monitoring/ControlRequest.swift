internal import ScaleCore

/// A question or a command to workers, as Celery's `control` publishes it.
struct ControlRequest: Hashable, Sendable {
    /// Where an answer goes.
    struct ReplyTarget: Hashable, Sendable {
        var exchange: String
        var routingKey: String
        /// By which the one who asks knows the answer.
        var ticket: String?
    }

    /// For whom it is.
    enum Audience: Hashable, Sendable {
        case everybody
        case nodes([JSONValue])
        case pattern(String, matcher: String)
    }

    var method: String
    var arguments: JSONObject
    var audience: Audience
    var replyTarget: ReplyTarget?
    /// The logical time of the one who asks.
    var clock: Int64?

    /// Celery's own requests nest two or three levels, and none is long but a list of some thousand ids.
    static let limits = {
        var limits = JSONLimits()
        limits.maximumDepth = 32
        limits.maximumBytes = 1 << 20
        return limits
    }()

    /// Reads a request. `nil` when it is none: not a JSON object, or without a method.
    ///
    /// A destination of another kind than text or list is for nobody. A target of answers that is not usable is none.
    init?(_ message: Message) {
        guard let body = try? JSONParser.parse(message.body, limits: Self.limits).objectValue, let method = body["method"]?.stringValue
        else { return nil }
        self.method = method
        self.arguments = body["arguments"]?.objectValue ?? [:]
        self.audience = Self.audience(of: body)
        self.replyTarget = Self.replyTarget(of: body)
        self.clock = message.headers["clock"]?.integerValue
    }

    /// By kombu's rules (`kombu.pidbox.Node.handle_message`): an empty destination is none, and comes before a pattern.
    private static func audience(of body: JSONObject) -> Audience {
        switch body["destination"] {
        case nil, .null?: break
        case .string(let node)? where node.isEmpty: break
        case .string(let node)?: return .nodes([.string(node)])
        case .array(let nodes)? where nodes.isEmpty: break
        case .array(let nodes)?: return .nodes(nodes)
        case .bool?, .integer?, .bigInteger?, .double?, .object?: return .nodes([])
        }
        guard let pattern = body["pattern"]?.stringValue, let matcher = body["matcher"]?.stringValue, !pattern.isEmpty, !matcher.isEmpty
        else { return .everybody }
        return .pattern(pattern, matcher: matcher)
    }

    /// Names are short strings in AMQP; longer ones would end the connection.
    private static func replyTarget(of body: JSONObject) -> ReplyTarget? {
        guard let target = body["reply_to"]?.objectValue, let exchange = target["exchange"]?.stringValue, exchange.utf8.count <= 255,
            let key = target["routing_key"]?.stringValue, key.utf8.count <= 255
        else { return nil }
        guard let ticket = body["ticket"]?.stringValue else { return ReplyTarget(exchange: exchange, routingKey: key) }
        return ticket.utf8.count <= 255 ? ReplyTarget(exchange: exchange, routingKey: key, ticket: ticket) : nil
    }

    /// The ids of an argument, each once and in their order: one as text, several as a list or as the keys of an object. What is no id is
    /// left out.
    static func ids(_ value: JSONValue?) -> [JobID] {
        let texts: [String]
        switch value {
        case .string(let text)?: texts = [text]
        case .array(let values)?: texts = values.compactMap(\.stringValue)
        case .object(let object)?: texts = object.keys
        case nil, .null?, .bool?, .integer?, .bigInteger?, .double?: texts = []
        }
        var seen: Set<JobID> = []
        return texts.compactMap(JobID.init(rawValue:)).filter { seen.insert($0).inserted }
    }

    func isFor(_ node: String) -> Bool {
        switch self.audience {
        case .everybody: true
        case .nodes(let nodes): nodes.contains { $0.stringValue?.hasSameBytes(as: node) == true }
        case .pattern(let pattern, "glob"): NodePattern(glob: pattern)?.matches(node) ?? false
        case .pattern(let pattern, "pcre"): NodePattern(regularExpression: pattern)?.matches(node) ?? false
        case .pattern: false
        }
    }
}
