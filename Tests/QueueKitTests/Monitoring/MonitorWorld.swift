import ScaleCore
import ScaleTesting

@testable import QueueKit

/// An engine of a node `w1@host`, and words for asking it.
struct MonitorWorld {
    static let address = MonitorAddress(node: "w1@host")
    static let time = UTCTime(millisecondsSinceEpoch: 1_795_486_386_500)

    var engine: MonitorEngine
    var now = Instant(nanoseconds: 0)

    init(bufferedEvents: Int = 4096, sendsTaskEvents: Bool = true, _ configure: (inout MonitorNode) -> Void = { _ in }) {
        var node = MonitorNode(address: Self.address, processID: 15_894, heartbeat: .seconds(2))
        node.ticket = "ours"
        node.tasks = ["proj.add", "proj.send"]
        node.brokerFacts = ["transport": "amqp", "hostname": "rabbit"]
        configure(&node)
        self.engine = MonitorEngine(
            node, WorkerSettings(concurrency: 3, queues: ["celery", "mails"]), sendsTaskEvents: sendsTaskEvents,
            bufferedEvents: bufferedEvents, startedAt: self.now)
    }

    static func message(_ text: String, clock: JSONValue? = 1) -> Message {
        var headers = JSONObject()
        headers["clock"] = clock
        return Message(headers: headers, properties: .init(), body: Array(text.utf8))
    }

    /// A request as Celery's control publishes it.
    static func request(_ method: String, _ arguments: String = "{}", destination: String = "null", more: String = "") -> Message {
        self.message(
            #"{"method":"\#(method)","arguments":\#(arguments),"destination":\#(destination),"pattern":null,"matcher":null,"ticket":"t1","#
                + #""reply_to":{"exchange":"reply.celery.pidbox","routing_key":"r1"}\#(more)}"#)
    }

    /// Publishes all that waits and forgets it; what is left are the effects of the request.
    mutating func send(_ message: Message) -> [MonitorEngine.Effect] {
        guard let request = ControlRequest(message) else { return [] }
        return self.engine.request(request, ProcessSample(), at: self.now, Self.time)
    }

    /// Asks, and returns the answer's body without the node's name around it; `nil` when there is none.
    mutating func ask(_ method: String, _ arguments: String = "{}") -> JSONValue? {
        _ = self.published()
        _ = self.send(Self.request(method, arguments))
        return self.answers().first.flatMap { try? JSONParser.parse($0.message.body).objectValue?["w1@host"] }
    }

    mutating func published() -> [MonitorOutbox.Item] {
        self.engine.connected(at: self.now, Self.time)
        var items: [MonitorOutbox.Item] = []
        while case let batch = self.engine.nextBatch(), !batch.isEmpty { items += batch }
        return items
    }

    mutating func answers() -> [MonitorPublication] {
        self.published().compactMap { if case .answer(let publication) = $0 { publication } else { nil } }
            .filter { $0.exchange != "celery.pidbox" }
    }

    mutating func events() -> [WorkerEvent] {
        self.published().flatMap { item -> [WorkerEvent] in if case .jobs(let events) = item { events } else { [] } }
    }

    static func job(_ id: String, task: String = "proj.add", arguments: [JSONValue] = [2, 3]) -> TrackedJob {
        var message = TaskMessage(task: task, id: JobID(rawValue: id) ?? JobID())
        message.arguments = arguments
        var envelope = message.message(at: Self.time)
        envelope.headers["argsrepr"] = "(2, 3)"
        envelope.headers["kwargsrepr"] = "{}"
        return TrackedJob(
            message,
            Delivery(lease: Lease(queue: "celery", message: 1, fencingToken: 1, owner: "w1"), message: envelope, losses: 0))
    }

    /// A job whose handler runs.
    mutating func run(_ id: String, in slot: MonitorEngine.Slot) {
        self.engine.received(slot, Self.job(id), at: Self.time)
        _ = self.engine.begins(slot, at: self.now, Self.time)
    }
}
