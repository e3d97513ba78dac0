internal import ScaleCore

/// Why a command is not carried out, in Celery's words, which are Python's: the text of an error.
struct ControlRefusal: Error, Hashable {
    var text: String

    static func value(_ words: String) -> ControlRefusal { ControlRefusal(text: "ValueError(\(PythonText.repr(words, limit: 512)))") }
    static func type(_ words: String) -> ControlRefusal { ControlRefusal(text: "TypeError(\(PythonText.repr(words, limit: 512)))") }

    static func missing(_ argument: String, of method: String) -> ControlRefusal {
        .type("\(method)() missing 1 required positional argument: '\(argument)'")
    }
}

/// The commands that change how a worker works (`celery.worker.control`). Where Celery answers before it knows, or takes what is of no use
/// (a pool that shrinks to nothing, a rate below zero), it is an error here, and nothing changes.
extension MonitorEngine {
    mutating func steer(_ method: String, _ arguments: JSONObject) throws(ControlRefusal) -> ControlOutcome {
        switch method {
        case "pool_grow":
            try self.resize(by: try Self.count(arguments["n"]), grows: true)
            return self.changed("pool will grow")
        case "pool_shrink":
            try self.resize(by: try Self.count(arguments["n"]), grows: false)
            return self.changed("pool will shrink")
        case "rate_limit": return try self.limitRate(arguments)
        case "time_limit": return try self.limitTime(arguments)
        case "add_consumer": return try self.addQueue(arguments)
        case "cancel_consumer": return try self.cancelQueue(arguments)
        case "autoscale": throw .value("Autoscale not enabled")
        default: throw .value("Pool restarts not enabled")
        }
    }

    /// The worker has tried a queue that was added.
    mutating func tried(_ queue: String, isUsable: Bool) -> [Effect] {
        self.settings.tried(queue, isUsable: isUsable) ? [.apply(self.settings)] : []
    }

    private func changed(_ answer: String) -> ControlOutcome {
        var outcome = ControlOutcome.ok(answer)
        outcome.effects = [.apply(self.settings)]
        return outcome
    }

    // MARK: The pool

    private mutating func resize(by count: Int64, grows: Bool) throws(ControlRefusal) {
        let (size, most) = (Int64(self.settings.concurrency), Int64(WorkerSettings.maximumConcurrency))
        guard grows ? count <= most - size : count < size else {
            throw .value(grows ? "the pool can grow to \(most) at most" : "Can't shrink pool. One must remain!")
        }
        self.settings.setConcurrency(Int(grows ? size + count : size - count))
    }

    /// By how much. Python's `range` is what takes it in Celery.
    private static func count(_ value: JSONValue?) throws(ControlRefusal) -> Int64 {
        switch value {
        case nil: return 1
        case .integer(let count)?:
            guard count > 0 else { throw .value("n must be positive") }
            return count
        case .bigInteger?: throw .value("n is too large")
        case .some(let other): throw .type("'\(other.pythonType)' object cannot be interpreted as an integer")
        }
    }

    // MARK: Tasks

    private mutating func limitRate(_ arguments: JSONObject) throws(ControlRefusal) -> ControlOutcome {
        guard let name = arguments["task_name"] else { throw .missing("task_name", of: "rate_limit") }
        guard let value = arguments["rate_limit"] else { throw .missing("rate_limit", of: "rate_limit") }
        let rate: TaskRate?
        do {
            rate = try Self.rate(value)
        } catch {
            switch error {
            // Celery does not catch this one, and answers with the error itself.
            case .unit(let unit): throw ControlRefusal(text: "KeyError(\(PythonText.repr(unit, limit: 255)))")
            case .number(let text):
                throw .rate("ValueError(\(PythonText.repr("could not convert string to float: \(PythonText.repr(text, limit: 255))")))")
            case .range: throw .rate("ValueError('out of range')")
            }
        }
        let task = try self.task(name)
        let isNew = self.settings.rates[name: task] != rate
        if isNew { self.settings.setRate(rate, of: task) }
        let answer = value.isTrueInPython ? "new rate limit set successfully" : "rate limit disabled successfully"
        return isNew ? self.changed(answer) : .ok(answer)
    }

    private static func rate(_ value: JSONValue) throws(TaskRate.Invalid) -> TaskRate? {
        switch value {
        case .null, .bool(false), .string(""): return nil
        case .string(let text): return try TaskRate.parse(text)
        case .integer(let count): return try TaskRate.of(Double(count))
        case .double(let count): return try TaskRate.of(count)
        case .bigInteger, .bool, .array, .object: throw .range
        }
    }

    private mutating func limitTime(_ arguments: JSONObject) throws(ControlRefusal) -> ControlOutcome {
        let limits = WorkerSettings.TimeLimits(soft: try Self.limit(arguments["soft"]), hard: try Self.limit(arguments["hard"]))
        let task = try self.task(arguments["task_name"] ?? .null)
        self.settings.setTimeLimits(limits, of: task)
        return self.changed("time limits set successfully")
    }

    /// In seconds; zero is none, as with Celery.
    private static func limit(_ value: JSONValue?) throws(ControlRefusal) -> Duration? {
        guard let value, !value.isNull else { return nil }
        guard let seconds = value.doubleValue else { throw .type("a time limit must be a number, not '\(value.pythonType)'") }
        guard seconds.isFinite, seconds >= 0 else { throw .value("a time limit must not be negative") }
        return seconds == 0 ? nil : Duration(saturatingSeconds: seconds)
    }

    /// One of the tasks that the worker can run: what it keeps about tasks does not grow with what it is asked.
    private func task(_ value: JSONValue) throws(ControlRefusal) -> String {
        guard let name = value.stringValue, let task = self.node.tasks.first(where: { $0.hasSameBytes(as: name) }) else {
            throw ControlRefusal(text: "unknown task")
        }
        return task
    }

    // MARK: Queues

    private mutating func addQueue(_ arguments: JSONObject) throws(ControlRefusal) -> ControlOutcome {
        let queue = try Self.queue(arguments, of: "add_consumer")
        for (name, usual) in [("exchange", queue), ("exchange_type", "direct"), ("routing_key", queue)] {
            guard let value = arguments[name], value.isTrueInPython else { continue }
            guard value.stringValue?.hasSameBytes(as: usual) == true else {
                throw .value("a queue is bound to the direct exchange of its name, by its name")
            }
        }
        guard !self.settings.includes(queue) else { return .ok("add consumer \(queue)") }
        guard self.settings.queues.count + self.settings.candidates.count < WorkerSettings.maximumQueues else {
            throw .value("\(WorkerSettings.maximumQueues) queues at most")
        }
        self.settings.propose(queue)
        return self.changed("add consumer \(queue)")
    }

    private mutating func cancelQueue(_ arguments: JSONObject) throws(ControlRefusal) -> ControlOutcome {
        let queue = try Self.queue(arguments, of: "cancel_consumer")
        guard self.settings.includes(queue) else { return .ok("no longer consuming from \(queue)") }
        self.settings.leave(queue)
        return self.changed("no longer consuming from \(queue)")
    }

    private static func queue(_ arguments: JSONObject, of method: String) throws(ControlRefusal) -> String {
        guard let value = arguments["queue"] else { throw .missing("queue", of: method) }
        guard let queue = value.stringValue else { throw .type("a queue's name must be str, not '\(value.pythonType)'") }
        do { try QueueName.validate(queue) } catch { throw .value(error.message) }
        return queue
    }
}

extension ControlRefusal {
    fileprivate static func rate(_ error: String) -> ControlRefusal { ControlRefusal(text: "Invalid rate limit string: \(error)") }
}

extension JSONValue {
    /// How Python calls what this is read as.
    fileprivate var pythonType: String {
        switch self {
        case .null: "NoneType"
        case .bool: "bool"
        case .integer, .bigInteger: "int"
        case .double: "float"
        case .string: "str"
        case .array: "list"
        case .object: "dict"
        }
    }
}
