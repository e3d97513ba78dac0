import ScaleCore
import ScaleTesting
import Testing

@testable import QueueKit

/// The commands of `celery control` that change how a worker works, and Flower's buttons: the engine's answers, in Celery's words.
@Suite struct SteeringTests {
    private static func error(_ text: String) -> JSONValue { ["error": .string(text)] }

    // MARK: The pool

    @Test func `the pool grows and shrinks, by one where nothing is said, and stats tell its size`() {
        var world = MonitorWorld()
        #expect(world.ask("pool_grow", #"{"n":5}"#) == ["ok": "pool will grow"])
        #expect(world.engine.settings.concurrency == 8)
        #expect(world.ask("pool_shrink") == ["ok": "pool will shrink"])
        #expect(world.ask("pool_grow") == ["ok": "pool will grow"])
        #expect(world.ask("pool_shrink", #"{"n":2}"#) == ["ok": "pool will shrink"])
        let stats = world.ask("stats")?.objectValue
        #expect(stats?["pool"]?.objectValue?["max-concurrency"] == 6)
        #expect(stats?["prefetch_count"] == 6)
        #expect(world.ask("conf")?.objectValue?["worker_concurrency"] == 6)
    }

    @Test func `each change is for the worker to follow, as a whole and later than the one before`() throws {
        var world = MonitorWorld()
        var revision: UInt64 = 0
        for (method, arguments) in [
            ("pool_grow", "{}"), ("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/s"}"#),
            ("time_limit", #"{"task_name":"proj.add","soft":1}"#), ("add_consumer", #"{"queue":"new"}"#),
            ("cancel_consumer", #"{"queue":"mails"}"#),
        ] {
            let effects = world.send(MonitorWorld.request(method, arguments))
            #expect(effects == [.apply(world.engine.settings)], "\(method)")
            #expect(world.engine.settings.revision > revision)
            revision = world.engine.settings.revision
        }
    }

    @Test(arguments: [
        ("pool_shrink", #"{"n":3}"#, "ValueError(\"Can't shrink pool. One must remain!\")"),
        ("pool_shrink", #"{"n":9223372036854775807}"#, "ValueError(\"Can't shrink pool. One must remain!\")"),
        ("pool_grow", #"{"n":9998}"#, "ValueError('the pool can grow to 10000 at most')"),
        ("pool_grow", #"{"n":9223372036854775807}"#, "ValueError('the pool can grow to 10000 at most')"),
        ("pool_grow", #"{"n":9223372036854775808}"#, "ValueError('n is too large')"),
        ("pool_grow", #"{"n":0}"#, "ValueError('n must be positive')"),
        ("pool_grow", #"{"n":-9223372036854775808}"#, "ValueError('n must be positive')"),
        ("pool_shrink", #"{"n":-1}"#, "ValueError('n must be positive')"),
        ("pool_grow", #"{"n":"3"}"#, #"TypeError("'str' object cannot be interpreted as an integer")"#),
        ("pool_grow", #"{"n":1.5}"#, #"TypeError("'float' object cannot be interpreted as an integer")"#),
        ("pool_grow", #"{"n":null}"#, #"TypeError("'NoneType' object cannot be interpreted as an integer")"#),
        ("pool_shrink", #"{"n":[1]}"#, #"TypeError("'list' object cannot be interpreted as an integer")"#),
        ("pool_grow", #"{"n":{}}"#, #"TypeError("'dict' object cannot be interpreted as an integer")"#),
        ("pool_grow", #"{"n":true}"#, #"TypeError("'bool' object cannot be interpreted as an integer")"#),
        ("autoscale", #"{"max":4,"min":1}"#, "ValueError('Autoscale not enabled')"),
        ("pool_restart", "{}", "ValueError('Pool restarts not enabled')"),
        ("rate_limit", "{}", #"TypeError("rate_limit() missing 1 required positional argument: 'task_name'")"#),
        ("rate_limit", #"{"task_name":"proj.add"}"#, #"TypeError("rate_limit() missing 1 required positional argument: 'rate_limit'")"#),
        ("rate_limit", #"{"task_name":"x","rate_limit":"1/s"}"#, "unknown task"),
        ("rate_limit", #"{"task_name":7,"rate_limit":"1/s"}"#, "unknown task"),
        ("rate_limit", #"{"task_name":["proj.add"],"rate_limit":"1/s"}"#, "unknown task"),
        (
            "rate_limit", #"{"task_name":"proj.add","rate_limit":"x/s"}"#,
            #"Invalid rate limit string: ValueError("could not convert string to float: 'x'")"#
        ),
        ("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/d"}"#, "KeyError('d')"),
        ("rate_limit", #"{"task_name":"proj.add","rate_limit":"-1/s"}"#, "Invalid rate limit string: ValueError('out of range')"),
        (
            "rate_limit", #"{"task_name":"proj.add","rate_limit":-9223372036854775808}"#,
            "Invalid rate limit string: ValueError('out of range')"
        ),
        ("rate_limit", #"{"task_name":"proj.add","rate_limit":1e-300}"#, "Invalid rate limit string: ValueError('out of range')"),
        ("rate_limit", #"{"task_name":"proj.add","rate_limit":["1/s"]}"#, "Invalid rate limit string: ValueError('out of range')"),
        (
            "rate_limit", #"{"task_name":"proj.add","rate_limit":9223372036854775808}"#,
            "Invalid rate limit string: ValueError('out of range')"
        ),
        ("time_limit", "{}", "unknown task"),
        ("time_limit", #"{"task_name":"x","soft":1}"#, "unknown task"),
        ("time_limit", #"{"task_name":"proj.add","soft":"1"}"#, #"TypeError("a time limit must be a number, not 'str'")"#),
        ("time_limit", #"{"task_name":"proj.add","hard":true}"#, #"TypeError("a time limit must be a number, not 'bool'")"#),
        ("time_limit", #"{"task_name":"proj.add","hard":-1}"#, "ValueError('a time limit must not be negative')"),
        ("time_limit", #"{"task_name":"proj.add","soft":NaN}"#, "ValueError('a time limit must not be negative')"),
        ("time_limit", #"{"task_name":"proj.add","soft":Infinity}"#, "ValueError('a time limit must not be negative')"),
        ("add_consumer", "{}", #"TypeError("add_consumer() missing 1 required positional argument: 'queue'")"#),
        ("cancel_consumer", "{}", #"TypeError("cancel_consumer() missing 1 required positional argument: 'queue'")"#),
        ("add_consumer", #"{"queue":["a"]}"#, #"TypeError("a queue's name must be str, not 'list'")"#),
        ("add_consumer", #"{"queue":null}"#, #"TypeError("a queue's name must be str, not 'NoneType'")"#),
        ("add_consumer", #"{"queue":""}"#, #"ValueError("a queue's name has 1 to 255 bytes, this one 0")"#),
        ("add_consumer", #"{"queue":"a\u0000b"}"#, #"ValueError("a queue's name has no control characters")"#),
        ("cancel_consumer", #"{"queue":"a\nb"}"#, #"ValueError("a queue's name has no control characters")"#),
        (
            "add_consumer", #"{"queue":"a","exchange":"b"}"#,
            "ValueError('a queue is bound to the direct exchange of its name, by its name')"
        ),
        (
            "add_consumer", #"{"queue":"a","exchange_type":"topic"}"#,
            "ValueError('a queue is bound to the direct exchange of its name, by its name')"
        ),
        (
            "add_consumer", #"{"queue":"a","routing_key":5}"#,
            "ValueError('a queue is bound to the direct exchange of its name, by its name')"
        ),
    ])
    func `what cannot be carried out is an error in Celery's words, and changes nothing`(
        _ method: String, _ arguments: String, _ text: String
    ) throws {
        var world = MonitorWorld()
        let before = world.engine.settings
        #expect(world.ask(method, arguments) == Self.error(text))
        #expect(world.send(MonitorWorld.request(method, arguments)) == [])
        #expect(world.engine.settings == before)
    }

    @Test func `errors are short, however long what they are about`() throws {
        var world = MonitorWorld()
        let long = String(repeating: "x", count: 1 << 18)
        for (method, arguments) in [
            ("rate_limit", #"{"task_name":"proj.add","rate_limit":"\#(long)"}"#),
            ("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/\#(long)"}"#),
            ("rate_limit", #"{"task_name":"\#(long)","rate_limit":"1/s"}"#), ("add_consumer", #"{"queue":"\#(long)"}"#),
        ] {
            let asked = world.ask(method, arguments)
            let answer = try #require(asked)
            #expect(answer.objectValue?["error"] != nil)
            #expect(answer.jsonBytes().count < 1024)
        }
    }

    @Test func `a worker that takes no commands is not steered`() {
        var world = MonitorWorld { $0.acceptsControl = false }
        let before = world.engine.settings
        for (method, arguments) in [
            ("pool_grow", "{}"), ("pool_shrink", "{}"), ("rate_limit", #"{"task_name":"proj.add","rate_limit":"1/s"}"#),
            ("time_limit", #"{"task_name":"proj.add"}"#), ("add_consumer", #"{"queue":"a"}"#), ("cancel_consumer", #"{"queue":"celery"}"#),
        ] {
            #expect(world.ask(method, arguments) == Self.error("this worker takes no commands"))
        }
        #expect(world.engine.settings == before)
    }

    // MARK: Tasks

    @Test func `a rate is set, told of as Celery does, and taken away`() {
        var world = MonitorWorld()
        let registered = world.ask("registered")
        for (rate, milliseconds) in [("\"10/m\"", 6_000), ("4", 250), ("0.5", 2_000), ("\"3600/h\"", 1_000)] as [(String, Int)] {
            #expect(
                world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":\#(rate)}"#) == ["ok": "new rate limit set successfully"])
            #expect(world.engine.settings.rates[name: "proj.add"]?.interval == .milliseconds(milliseconds))
        }
        #expect(world.ask("registered") == registered)
        // Celery says of a text that it is a new limit, whatever it means.
        #expect(world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":"0"}"#) == ["ok": "new rate limit set successfully"])
        #expect(world.engine.settings.rates.isEmpty)
        for none in ["0", "null", "\"\"", "false", "0.0"] {
            _ = world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":1}"#)
            #expect(
                world.ask("rate_limit", #"{"task_name":"proj.add","rate_limit":\#(none)}"#) == ["ok": "rate limit disabled successfully"])
            #expect(world.engine.settings.rates.isEmpty)
        }
    }

    @Test func `what a worker keeps does not grow with what it is asked`() {
        var world = MonitorWorld()
        for number in 0..<100_000 {
            let effects = world.send(MonitorWorld.request("rate_limit", #"{"task_name":"t\#(number)","rate_limit":"1/s"}"#))
            #expect(effects.isEmpty)
        }
        #expect(world.engine.settings.rates.isEmpty)
        for number in 0..<1_000 { _ = world.send(MonitorWorld.request("add_consumer", #"{"queue":"q\#(number)"}"#)) }
        #expect(world.engine.settings.candidates.count == WorkerSettings.maximumQueues - 2)
        #expect(world.ask("add_consumer", #"{"queue":"more"}"#) == Self.error("ValueError('256 queues at most')"))
    }

    @Test func `time limits take the place of a task's own ones, both at once`() {
        var world = MonitorWorld()
        let answer: JSONValue = ["ok": "time limits set successfully"]
        #expect(world.ask("time_limit", #"{"task_name":"proj.add","soft":1.5,"hard":3}"#) == answer)
        #expect(world.engine.settings.timeLimits(of: "proj.add") == .init(soft: .milliseconds(1_500), hard: .seconds(3)))
        #expect(world.ask("time_limit", #"{"task_name":"proj.add","soft":null,"hard":9223372036854775808}"#) == answer)
        #expect(world.engine.settings.timeLimits(of: "proj.add") == .init(soft: nil, hard: .nanoseconds(Int64.max)))
        #expect(world.ask("time_limit", #"{"task_name":"proj.add","soft":0}"#) == answer)
        #expect(world.engine.settings.timeLimits(of: "proj.add") == .init(soft: nil, hard: nil))
        #expect(world.engine.settings.timeLimits(of: "proj.send") == nil)
    }

    // MARK: Queues

    private static func names(_ world: inout MonitorWorld) -> [JSONValue?]? {
        world.ask("active_queues")?.arrayValue?.map { $0.objectValue?["name"] }
    }

    @Test func `a queue that is added is one of the worker's when it has been tried`() {
        var world = MonitorWorld()
        #expect(world.ask("add_consumer", #"{"queue":"new","exchange":null,"exchange_type":"direct"}"#) == ["ok": "add consumer new"])
        #expect(Self.names(&world) == ["celery", "mails"])
        // Asked for once more, it is tried once.
        #expect(world.send(MonitorWorld.request("add_consumer", #"{"queue":"new"}"#)) == [])
        #expect(world.engine.tried("other", isUsable: true) == [])
        #expect(world.engine.tried("new", isUsable: true) == [.apply(world.engine.settings)])
        #expect(Self.names(&world) == ["celery", "mails", "new"])
        #expect(world.send(MonitorWorld.request("add_consumer", #"{"queue":"celery"}"#)) == [])
        #expect(world.ask("add_consumer", #"{"queue":"broken"}"#) == ["ok": "add consumer broken"])
        #expect(world.engine.tried("broken", isUsable: false) == [.apply(world.engine.settings)])
        #expect(Self.names(&world) == ["celery", "mails", "new"])
    }

    @Test func `a queue is left, the last one too, and one that is being tried`() {
        var world = MonitorWorld()
        for queue in ["celery", "mails", "mails"] {
            #expect(
                world.ask("cancel_consumer", #"{"queue":"\#(queue)"}"#) == ["ok": .string("no longer consuming from \(queue)")])
        }
        #expect(world.ask("active_queues") == [])
        _ = world.ask("add_consumer", #"{"queue":"new"}"#)
        _ = world.ask("cancel_consumer", #"{"queue":"new"}"#)
        #expect(world.engine.tried("new", isUsable: true) == [])
        #expect(world.ask("active_queues") == [])
    }
}
