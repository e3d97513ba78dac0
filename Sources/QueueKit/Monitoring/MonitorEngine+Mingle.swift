internal import ScaleCore

/// How workers tell each other what is revoked, which Celery calls mingling: one that starts says hello, and the others answer. So a job
/// that was revoked before a worker was started again stays revoked, as long as one worker was there all the time.
extension MonitorEngine {
    /// The question, to all workers; its answers come to the mailbox.
    mutating func sayHello(at now: Instant) {
        guard self.node.acceptsControl else { return }
        let body: JSONValue = [
            "method": "hello",
            "arguments": [
                "from_node": .string(self.node.address.node),
                "revoked": .array(self.revoked.ids(at: now).map { .string($0.rawValue) }),
            ],
            "destination": nil, "pattern": nil, "matcher": nil, "ticket": .string(self.node.ticket),
            "reply_to": ["exchange": "", "routing_key": .string(self.node.address.mailbox)],
        ]
        self.outbox.add(self.node.publication(ofRequest: body, clock: self.clock.advance()))
    }

    /// Takes over what another worker has answered.
    mutating func learn(_ answer: MingleAnswer, at now: Instant) {
        guard self.node.acceptsControl, answer.ticket.hasSameBytes(as: self.node.ticket) else { return }
        if let clock = answer.clock { self.clock.see(clock) }
        for id in answer.revoked { self.revoked.insert(id, at: now) }
    }
}

/// An answer to hello: `{"other@host": {"revoked": […], "clock": 7}}`, a dictionary in place of the list from older workers.
struct MingleAnswer: Hashable, Sendable {
    var ticket: String
    var clock: Int64?
    var revoked: [JobID] = []

    /// `nil` when it is none.
    init?(_ message: Message) {
        guard let ticket = message.headers["ticket"]?.stringValue,
            let body = try? JSONParser.parse(message.body, limits: ControlRequest.limits).objectValue
        else { return nil }
        self.ticket = ticket
        self.clock = message.headers["clock"]?.integerValue
        for (_, answer) in body { self.revoked += ControlRequest.ids(answer.objectValue?["revoked"]) }
    }
}
