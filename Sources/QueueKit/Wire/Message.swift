/// A message as a broker carries it: AMQP's properties, a table of headers and an opaque body.
///
/// Brokers store and return it unchanged and look into nothing but ``Properties/priority``.
public struct Message: Hashable, Sendable {
    /// The properties of AMQP 0-9-1 that Celery uses.
    public struct Properties: Hashable, Sendable {
        public var contentType: String?
        public var contentEncoding: String?
        /// 2 survives a restart of the broker, 1 need not.
        public var deliveryMode: Int = 2
        /// 0…255; the larger is taken first by brokers that know priorities. Celery's default is 0.
        public var priority: Int = 0
        public var correlationID: String?
        public var replyTo: String?
        /// Milliseconds as text, as AMQP wants it.
        public var expiration: String?

        public init() {}
    }

    public var headers: JSONObject
    public var properties: Properties
    public var body: [UInt8]

    public init(headers: JSONObject, properties: Properties, body: [UInt8]) {
        self.headers = headers
        self.properties = properties
        self.body = body
    }
}

extension Message.Properties {
    /// The properties as one JSON object, for stores that keep text.
    package var json: JSONValue {
        var object = JSONObject()
        object["content_type"] = self.contentType.map(JSONValue.string)
        object["content_encoding"] = self.contentEncoding.map(JSONValue.string)
        object["delivery_mode"] = .integer(Int64(self.deliveryMode))
        object["priority"] = .integer(Int64(self.priority))
        object["correlation_id"] = self.correlationID.map(JSONValue.string)
        object["reply_to"] = self.replyTo.map(JSONValue.string)
        object["expiration"] = self.expiration.map(JSONValue.string)
        return .object(object)
    }

    /// The properties of such an object; what is missing or of another kind is as in empty properties.
    package init(json: JSONObject) {
        self.init()
        self.contentType = json["content_type"]?.stringValue
        self.contentEncoding = json["content_encoding"]?.stringValue
        self.deliveryMode = json["delivery_mode"]?.integerValue == 1 ? 1 : 2
        self.priority = Int(clamping: min(max(json["priority"]?.integerValue ?? 0, 0), 255))
        self.correlationID = json["correlation_id"]?.stringValue
        self.replyTo = json["reply_to"]?.stringValue
        self.expiration = json["expiration"]?.stringValue
    }
}
