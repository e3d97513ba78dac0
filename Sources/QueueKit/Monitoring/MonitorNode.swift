internal import ScaleCore

/// What does not change about a worker as its watchers see it.
struct MonitorNode: Sendable {
    /// In events (`sw_ident`) and reports.
    static let software = "scalekit"
    static let version = "0.1.0"

    var address: MonitorAddress
    var processID: Int64
    var heartbeat: Duration
    /// By which answers to this worker's own questions are known; not to be guessed.
    var ticket = RandomSource.system.uuid()
    var showsValues = true
    var acceptsControl = true
    /// The tasks that the worker can run, in their order.
    var tasks: [String] = []
    var brokerFacts: JSONObject = [:]
    var queueArguments: JSONObject = [:]
    /// The settings that `conf` shows, beside the above.
    var settings: JSONObject = [:]
}

// MARK: - Messages

extension MonitorNode {
    /// One or more events as a message. Celery's workers send several of jobs in one, to the key `task.multi`.
    func publication(of events: [WorkerEvent], _ sample: ProcessSample) -> MonitorPublication {
        let bodies = events.map { $0.json(of: self, sample) }
        let isOne = bodies.count == 1
        let key = isOne ? events[0].type.replacingDashes : "task.multi"
        return MonitorPublication(
            exchange: self.address.eventExchange, routingKey: key,
            message: Self.message(isOne ? bodies[0] : .array(bodies), headers: ["hostname": .string(self.address.node)]))
    }

    /// An answer, to where the request said.
    func publication(of answer: JSONValue, to target: ControlRequest.ReplyTarget, clock: Int64) -> MonitorPublication {
        MonitorPublication(
            exchange: target.exchange, routingKey: target.routingKey,
            message: Self.message(
                .object([self.address.node: answer]), headers: ["ticket": .orNull(target.ticket), "clock": .integer(clock)]))
    }

    /// A question to all workers.
    func publication(ofRequest body: JSONValue, clock: Int64) -> MonitorPublication {
        MonitorPublication(
            exchange: self.address.requestExchange, routingKey: "", message: Self.message(body, headers: ["clock": .integer(clock)]))
    }

    private static func message(_ body: JSONValue, headers: JSONObject) -> Message {
        var properties = Message.Properties()
        properties.contentType = "application/json"
        properties.contentEncoding = "utf-8"
        properties.deliveryMode = 1
        return Message(headers: headers, properties: properties, body: body.jsonBytes())
    }
}

extension String {
    fileprivate var replacingDashes: String { String(self.map { $0 == "-" ? "." : $0 }) }
}
