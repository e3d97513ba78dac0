internal import ScaleCore

/// A job in a worker's hands, as watchers may ask for it.
struct TrackedJob: Hashable, Sendable {
    let message: TaskMessage
    /// How the message itself wants its arguments to be shown (`argsrepr`, `kwargsrepr`), or their number.
    let argumentsText: String
    let keywordArgumentsText: String
    let queue: String
    let wasDelivered: Bool
    /// Whether its arguments are too long to be shown: all jobs' together go into one answer, which is made while the worker waits.
    let isLong: Bool
    /// When its handler began.
    var started: UTCTime?

    init(_ message: TaskMessage, _ delivery: Delivery) {
        self.message = message
        self.argumentsText = Self.text("argsrepr", delivery.message.headers, count: message.arguments.count)
        self.keywordArgumentsText = Self.text("kwargsrepr", delivery.message.headers, count: message.keywordArguments.count)
        self.queue = delivery.lease.queue
        self.wasDelivered = delivery.losses > 0
        // How much is in a compressed body it does not tell.
        let isCompressed = !(delivery.message.headers["compression"]?.isNull ?? true)
        self.isLong = isCompressed || delivery.message.body.count > Self.shownBodyBytes
    }

    private static let shownBodyBytes = 16 << 10

    private static func text(_ header: String, _ headers: JSONObject, count: Int) -> String {
        headers[header]?.stringValue.map { String($0.unicodeScalars.prefix(1024)) } ?? (count == 0 ? "" : "<\(count)>")
    }

    var received: WorkerEvent.Received {
        .init(
            id: self.message.id, name: String(self.message.task.unicodeScalars.prefix(255)), arguments: self.argumentsText,
            keywordArguments: self.keywordArgumentsText, rootID: self.message.rootID ?? self.message.id, parentID: self.message.parentID,
            retries: self.message.retries, eta: self.message.eta, expires: self.message.expires)
    }

    /// The job in the form in which `active`, `reserved` and `query_task` show it.
    ///
    /// - Parameter showsValues: or the arguments' texts in their place.
    func json(of node: MonitorNode, showsValues: Bool) -> JSONValue {
        let showsValues = showsValues && !self.isLong
        return [
            "id": .string(self.message.id.rawValue),
            "name": .string(self.message.task),
            "args": showsValues ? .array(self.message.arguments) : .string(self.argumentsText),
            "kwargs": showsValues ? .object(self.message.keywordArguments) : .string(self.keywordArgumentsText),
            "type": .string(self.message.task),
            "hostname": .string(node.address.node),
            "time_start": self.started.map { .double($0.secondsSinceEpoch) } ?? .null,
            "acknowledged": false,
            "delivery_info": [
                "exchange": "", "routing_key": .string(self.queue), "priority": .integer(Int64(self.message.priority)),
                "redelivered": .bool(self.wasDelivered),
            ],
            "worker_pid": self.started == nil ? .null : .integer(node.processID),
        ]
    }
}
