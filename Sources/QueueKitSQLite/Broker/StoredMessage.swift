#if SQLite
internal import QueueKit

/// A message as its row keeps it. Made before the transaction, and read after it: meanwhile nobody else can write.
struct StoredMessage: Sendable {
    let job: JobID?
    let priority: Int
    let headers: [UInt8]
    let properties: [UInt8]
    let body: [UInt8]

    init(_ message: Message) {
        self.job = TaskMessage.id(of: message)
        self.priority = message.properties.priority
        self.headers = JSONValue.object(message.headers).jsonBytes()
        self.properties = message.properties.json.jsonBytes()
        self.body = message.body
    }

    /// The message of a row. A file may have been damaged or edited: what cannot be read is left out, and the worker will find the message
    /// malformed.
    static func message(headers: [UInt8], properties: [UInt8], body: [UInt8]) -> Message {
        let headers = (try? JSONParser.parse(headers))?.objectValue
        let properties = (try? JSONParser.parse(properties))?.objectValue
        return Message(headers: headers ?? [:], properties: Message.Properties(json: properties ?? [:]), body: body)
    }
}

/// A row that has been leased.
struct LeasedRow: Sendable {
    let lease: Lease
    let losses: Int64
    let headers: [UInt8]
    let properties: [UInt8]
    let body: [UInt8]
    let isKnownAsStarted: Bool

    var delivery: Delivery {
        var delivery = Delivery(
            lease: self.lease, message: StoredMessage.message(headers: self.headers, properties: self.properties, body: self.body),
            losses: Int(clamping: self.losses))
        delivery.isKnownAsStarted = self.isKnownAsStarted
        return delivery
    }
}
#endif
