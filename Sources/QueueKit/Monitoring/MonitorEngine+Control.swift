internal import ScaleCore

/// What becomes of a request.
struct ControlOutcome: Hashable, Sendable {
    /// `nil`: nothing is answered.
    var answer: JSONValue?
    var effects: [MonitorEngine.Effect] = []

    static func ok(_ text: String) -> ControlOutcome { ControlOutcome(answer: ["ok": .string(text)]) }
    static func error(_ text: String) -> ControlOutcome { ControlOutcome(answer: ["error": .string(text)]) }
}

/// Celery's remote control (`celery.worker.control`): what it is asked, and how it answers.
extension MonitorEngine {
    private static let commands: Set<String> = [
        "revoke", "terminate", "shutdown", "enable_events", "disable_events", "pool_grow", "pool_shrink", "pool_restart", "autoscale",
        "rate_limit", "time_limit", "add_consumer", "cancel_consumer",
    ]

    mutating func carryOut(_ request: ControlRequest, _ sample: ProcessSample, at now: Instant, _ time: UTCTime) -> ControlOutcome {
        let arguments = request.arguments
        if Self.commands.contains(request.method), !self.node.acceptsControl { return .error("this worker takes no commands") }
        switch request.method {
        case "ping": return .ok("pong")
        case "clock": return ControlOutcome(answer: ["clock": .integer(self.clockTime)])
        case "heartbeat":
            self.beat(at: time)
            return ControlOutcome(answer: .null)
        case "hello": return self.hello(arguments, at: now)
        case "revoke":
            return self.revoke(arguments["task_id"], terminates: arguments["terminate"]?.isTrueInPython ?? false, at: now)
        case "terminate": return self.revoke(arguments["task_id"], terminates: true, at: now)
        case "shutdown": return ControlOutcome(effects: [.shutdown])
        case "enable_events": return self.switchEvents(on: true)
        case "disable_events": return self.switchEvents(on: false)
        case "stats": return ControlOutcome(answer: self.stats(sample, at: now))
        case "active": return ControlOutcome(answer: self.list(arguments, where: { $0.started != nil }))
        case "reserved": return ControlOutcome(answer: self.list(arguments, where: { $0.started == nil }))
        // What is to run later waits at the broker.
        case "scheduled": return ControlOutcome(answer: [])
        case "revoked": return ControlOutcome(answer: self.revokedIDs(at: now))
        case "registered": return ControlOutcome(answer: .array(self.node.tasks.map(JSONValue.string)))
        case "active_queues": return ControlOutcome(answer: .array(self.settings.queues.map(self.queue)))
        case "query_task": return ControlOutcome(answer: self.query(ControlRequest.ids(arguments["ids"])))
        case "conf": return ControlOutcome(answer: .object(self.conf()))
        case "report": return .ok(self.report())
        case "pool_grow", "pool_shrink", "pool_restart", "autoscale", "rate_limit", "time_limit", "add_consumer", "cancel_consumer":
            do { return try self.steer(request.method, arguments) } catch { return .error(error.text) }
        default: return .error("KeyError(\(PythonText.repr(request.method, limit: 255)))")
        }
    }

    /// A worker that starts tells what it knows to be revoked, and asks what others know. It may be a list, or an older worker's dictionary.
    private mutating func hello(_ arguments: JSONObject, at now: Instant) -> ControlOutcome {
        guard arguments["from_node"] != .string(self.node.address.node) else { return ControlOutcome(answer: .null) }
        if self.node.acceptsControl {
            for id in ControlRequest.ids(arguments["revoked"]) { self.revoked.insert(id, at: now) }
        }
        return ControlOutcome(answer: ["revoked": self.revokedIDs(at: now), "clock": .integer(self.clockTime)])
    }

    private mutating func revoke(_ value: JSONValue?, terminates: Bool, at now: Instant) -> ControlOutcome {
        let ids = ControlRequest.ids(value)
        for id in ids { self.revoked.insert(id, at: now) }
        guard terminates else {
            return .ok("tasks {\(ids.map { PythonText.repr($0.rawValue) }.joined(separator: ", "))} flagged as revoked")
        }
        let wanted = Set(ids)
        let known = self.jobs.filter { wanted.contains($0.value.message.id) }
        guard !known.isEmpty else { return .ok("terminate: tasks unknown") }
        var outcome = ControlOutcome.ok("terminate: \(Set(known.values.map(\.message.id.rawValue)).sorted().joined(separator: ", "))")
        let running = known.filter { $0.value.started != nil }.keys.sorted()
        if !running.isEmpty { outcome.effects = [.terminate(running)] }
        return outcome
    }

    private mutating func switchEvents(on: Bool) -> ControlOutcome {
        let word = on ? "enabled" : "disabled"
        guard self.sendsTaskEvents != on else { return .ok("task events already \(word)") }
        self.setTaskEvents(on)
        return .ok("task events \(word)")
    }

    private mutating func revokedIDs(at now: Instant) -> JSONValue {
        .array(self.revoked.ids(at: now).map { .string($0.rawValue) })
    }
}

extension JSONValue {
    /// What Python takes for true. Flower, for one, sends 1.
    var isTrueInPython: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .bigInteger: true
        case .double(let value): value != 0
        case .string(let value): !value.isEmpty
        case .array(let values): !values.isEmpty
        case .object(let object): !object.isEmpty
        }
    }
}
