internal import ScaleCore

/// Something that happened at a worker, as Celery's watchers are told it. Bounded in size, whatever the job's arguments and result are.
struct WorkerEvent: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case online(WorkerLoad)
        case heartbeat(WorkerLoad)
        case offline(WorkerLoad)
        case received(Received)
        case started(JobID)
        /// - Parameter result: as Python would show it.
        case succeeded(JobID, result: String, runtime: Duration)
        case failed(JobID, JobFailure)
        case retried(JobID, JobFailure)
        case revoked(JobID, isTerminated: Bool, isExpired: Bool)
        case rejected(JobID, isRequeued: Bool)
    }

    /// What is told of a job that has come.
    struct Received: Hashable, Sendable {
        var id: JobID
        var name: String
        var arguments: String
        var keywordArguments: String
        var rootID: JobID?
        var parentID: JobID?
        var retries: Int
        var eta: UTCTime?
        var expires: UTCTime?
    }

    var kind: Kind
    var time: UTCTime
    /// By the worker's logical clock.
    var clock: Int64

    /// Celery's name of the event; the routing key is the same with a dot.
    var type: String {
        switch self.kind {
        case .online: "worker-online"
        case .heartbeat: "worker-heartbeat"
        case .offline: "worker-offline"
        case .received: "task-received"
        case .started: "task-started"
        case .succeeded: "task-succeeded"
        case .failed: "task-failed"
        case .retried: "task-retried"
        case .revoked: "task-revoked"
        case .rejected: "task-rejected"
        }
    }
}

/// How busy a worker is.
struct WorkerLoad: Hashable, Sendable {
    /// Jobs that run now.
    var active: Int
    /// Jobs that have begun so far.
    var processed: Int
}

extension WorkerEvent {
    /// The event in Celery's form.
    func json(of node: MonitorNode, _ sample: ProcessSample) -> JSONValue {
        var object: JSONObject = [
            "hostname": .string(node.address.node), "utcoffset": .double(sample.hoursWestOfUTC), "pid": .integer(node.processID),
            "clock": .integer(self.clock),
        ]
        switch self.kind {
        case .online(let load), .heartbeat(let load), .offline(let load):
            object["freq"] = .double(node.heartbeat.fractionalSeconds)
            object["active"] = .integer(Int64(load.active))
            object["processed"] = .integer(Int64(load.processed))
            object["loadavg"] = .array(sample.load.map { .double(($0 * 100).rounded() / 100) })
            object["sw_ident"] = .string(MonitorNode.software)
            object["sw_ver"] = .string(MonitorNode.version)
            object["sw_sys"] = .string(ProcessSample.systemName)
        case .received(let job):
            object["uuid"] = .string(job.id.rawValue)
            object["name"] = .string(job.name)
            object["args"] = .string(job.arguments)
            object["kwargs"] = .string(job.keywordArguments)
            object["root_id"] = .orNull(job.rootID?.rawValue)
            object["parent_id"] = .orNull(job.parentID?.rawValue)
            object["retries"] = .integer(Int64(job.retries))
            object["eta"] = .orNull(job.eta.map(Timestamp.text))
            object["expires"] = .orNull(job.expires.map(Timestamp.text))
        case .started(let id):
            object["uuid"] = .string(id.rawValue)
        case .succeeded(let id, let result, let runtime):
            object["uuid"] = .string(id.rawValue)
            object["result"] = .string(result)
            object["runtime"] = .double(runtime.fractionalSeconds)
        case .failed(let id, let failure), .retried(let id, let failure):
            object["uuid"] = .string(id.rawValue)
            object["exception"] = .string("\(failure.type)(\(PythonText.repr(failure.message)))")
            object["traceback"] = .string("\(failure.module).\(failure.type): \(failure.message)")
        case .revoked(let id, let isTerminated, let isExpired):
            object["uuid"] = .string(id.rawValue)
            object["terminated"] = .bool(isTerminated)
            object["signum"] = isTerminated ? .integer(15) : .null
            object["expired"] = .bool(isExpired)
        case .rejected(let id, let isRequeued):
            object["uuid"] = .string(id.rawValue)
            object["requeue"] = .bool(isRequeued)
        }
        object["timestamp"] = .double(self.time.secondsSinceEpoch)
        object["type"] = .string(self.type)
        return .object(object)
    }
}
