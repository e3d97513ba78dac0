internal import ScaleCore

/// The answers of `celery inspect`, in the form in which Celery's clients and Flower read them.
extension MonitorEngine {
    func list(_ arguments: JSONObject, where condition: (TrackedJob) -> Bool) -> JSONValue {
        let showsValues = self.node.showsValues && arguments["safe"]?.isTrueInPython != true
        let jobs = self.jobs.sorted { $0.key < $1.key }.map(\.value).filter(condition)
        return .array(jobs.map { $0.json(of: self.node, showsValues: showsValues) })
    }

    func query(_ ids: [JobID]) -> JSONValue {
        let wanted = Set(ids)
        var found = JSONObject()
        for (_, job) in self.jobs.sorted(by: { $0.key < $1.key }) where wanted.contains(job.message.id) {
            let state: JSONValue = job.started == nil ? "reserved" : "active"
            found[job.message.id.rawValue] = [state, job.json(of: self.node, showsValues: self.node.showsValues)]
        }
        return .object(found)
    }

    func stats(_ sample: ProcessSample, at now: Instant) -> JSONValue {
        let totals = self.totals.sorted { $0.key < $1.key }.map { ($0.key.text, JSONValue.integer(Int64($0.value))) }
        let concurrency = JSONValue.integer(Int64(self.settings.concurrency))
        return [
            "total": .object(JSONObject(totals)),
            "pid": .integer(self.node.processID),
            "clock": .string(String(self.clockTime)),
            "uptime": .integer(Int64(self.uptime(at: now).fractionalSeconds)),
            "pool": [
                "implementation": "swift tasks", "max-concurrency": concurrency, "processes": [.integer(self.node.processID)],
                "max-tasks-per-child": "N/A", "put-guarded-by-semaphore": true, "timeouts": [0, 0],
            ],
            "broker": .object(self.node.brokerFacts),
            "prefetch_count": concurrency,
            "rusage": .object(sample.usage),
        ]
    }

    /// A queue as Celery describes it.
    func queue(_ name: String) -> JSONValue {
        let exchange: JSONValue = [
            "name": .string(name), "type": "direct", "arguments": nil, "durable": true, "passive": false, "auto_delete": false,
            "delivery_mode": nil, "no_declare": false,
        ]
        let arguments = self.node.queueArguments
        return [
            "name": .string(name), "exchange": exchange, "routing_key": .string(name),
            "queue_arguments": arguments.isEmpty ? .null : .object(arguments), "binding_arguments": nil, "consumer_arguments": nil,
            "durable": true, "exclusive": false, "auto_delete": false, "no_ack": false, "alias": nil, "bindings": [], "no_declare": nil,
            "expires": nil, "message_ttl": nil, "max_length": nil, "max_length_bytes": nil,
            "max_priority": arguments["x-max-priority"] ?? .null,
        ]
    }

    /// The settings that are in force, by Celery's names where it has one. No address and no secret.
    func conf() -> JSONObject {
        var conf: JSONObject = [
            "worker_concurrency": .integer(Int64(self.settings.concurrency)), "worker_send_task_events": .bool(self.sendsTaskEvents),
            "task_queues": .array(self.settings.queues.map(JSONValue.string)), "event_exchange": .string(self.node.address.eventExchange),
            "control_exchange": .string(self.node.address.controlExchange), "task_acks_late": true, "enable_utc": true, "timezone": "UTC",
            "task_serializer": "json", "result_serializer": "json", "accept_content": ["json"],
        ]
        for (name, value) in self.node.settings { conf[name] = value }
        return conf
    }

    func report() -> String {
        """
        software -> \(MonitorNode.software):\(MonitorNode.version)
        platform -> system:\(ProcessSample.systemName) imp:Swift
        node -> \(self.node.address.node) pid:\(self.node.processID) concurrency:\(self.settings.concurrency)
        queues -> \(self.settings.queues.joined(separator: ", "))
        tasks -> \(self.node.tasks.joined(separator: ", "))
        """
    }
}
