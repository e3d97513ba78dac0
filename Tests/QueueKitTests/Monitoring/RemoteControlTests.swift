import ScaleCore
import Testing

@testable import QueueKit

/// What `celery inspect` and `celery control` are told.
@Suite struct RemoteControlTests {
    @Test func `an unknown method is an error in Python's words`() {
        var world = MonitorWorld()
        #expect(world.ask("pool_party") == ["error": "KeyError('pool_party')"])
    }

    @Test func `active lists the jobs that run, reserved those that have not begun`() throws {
        var world = MonitorWorld()
        world.run("a", in: 1)
        world.engine.received(2, MonitorWorld.job("b"), at: MonitorWorld.time)
        let expected = try JSONParser.parse(
            #"{"id":"a","name":"proj.add","args":[2,3],"kwargs":{},"type":"proj.add","hostname":"w1@host","time_start":1795486386.5,"#
                + #""acknowledged":false,"delivery_info":{"exchange":"","routing_key":"celery","priority":0,"redelivered":false},"worker_pid":15894}"#
        )
        #expect(world.ask("active") == .array([expected]))
        #expect(world.ask("reserved")?.arrayValue?.compactMap { $0.objectValue?["id"] } == ["b"])
        #expect(world.ask("reserved")?.arrayValue?.first?.objectValue?["time_start"] == .null)
        #expect(world.ask("scheduled") == [])
        #expect(world.ask("query_task", #"{"ids":["b","x","a"]}"#)?.objectValue?.keys == ["a", "b"])
        #expect(world.ask("query_task", #"{"ids":"a"}"#)?.objectValue?["a"]?.arrayValue == ["active", expected])
        world.engine.left(1)
        #expect(world.ask("active") == [])
    }

    @Test func `arguments are shown as the message wants them, when they are to be safe or values are not for watchers`() {
        var world = MonitorWorld()
        world.run("a", in: 1)
        #expect(world.ask("active", #"{"safe":true}"#)?.arrayValue?.first?.objectValue?["args"] == "(2, 3)")
        var discreet = MonitorWorld { $0.showsValues = false }
        discreet.run("a", in: 1)
        #expect(discreet.ask("active")?.arrayValue?.first?.objectValue?["args"] == "(2, 3)")
        #expect(discreet.ask("query_task", #"{"ids":"a"}"#)?.objectValue?["a"]?.arrayValue?.last?.objectValue?["kwargs"] == "{}")
    }

    @Test func `long arguments are shown as the message wants them, so that the answer stays short`() {
        var world = MonitorWorld()
        let long = JSONValue.string(String(repeating: "x", count: 1 << 20))
        world.engine.received(1, MonitorWorld.job("a", arguments: [long]), at: MonitorWorld.time)
        #expect(world.ask("reserved")?.arrayValue?.first?.objectValue?["args"] == "(2, 3)")
        #expect(world.ask("query_task", #"{"ids":"a"}"#)?.jsonBytes().count ?? .max < 1000)
    }

    @Test func `stats count what has begun by task, and show broker and pool`() throws {
        var world = MonitorWorld()
        world.run("a", in: 1)
        world.run("b", in: 2)
        world.now = Instant(nanoseconds: 9_500_000_000)
        let stats = try #require(world.ask("stats")?.objectValue)
        #expect(stats["total"] == ["proj.add": 2])
        #expect(stats["pid"] == 15_894)
        #expect(stats["uptime"] == 9)
        #expect(stats["broker"] == ["transport": "amqp", "hostname": "rabbit"])
        #expect(stats["pool"]?.objectValue?["max-concurrency"] == 3)
        #expect(stats["clock"]?.stringValue != nil)
    }

    @Test func `registered, active queues, conf, clock and report tell of the worker`() throws {
        var world = MonitorWorld { $0.queueArguments = ["x-max-priority": 9] }
        #expect(world.ask("registered") == ["proj.add", "proj.send"])
        let queues = (world.ask("active_queues")?.arrayValue ?? []).compactMap(\.objectValue)
        #expect(queues.map { $0["name"] } == ["celery", "mails"])
        for field in [
            "name", "exclusive", "durable", "routing_key", "no_ack", "alias", "queue_arguments", "binding_arguments", "auto_delete",
        ] {
            #expect(queues.first?[field] != nil)
        }
        #expect(queues.first?["max_priority"] == 9)
        #expect(queues.first?["exchange"]?.objectValue?["type"] == "direct")
        #expect(world.ask("conf")?.objectValue?["worker_concurrency"] == 3)
        #expect(world.ask("clock")?.objectValue?["clock"]?.integerValue != nil)
        #expect(world.ask("report")?.objectValue?["ok"]?.stringValue?.contains("proj.send") == true)
    }

    @Test func `a revoked job does not begin, whether it has come already or not`() {
        var world = MonitorWorld()
        world.engine.received(1, MonitorWorld.job("a"), at: MonitorWorld.time)
        #expect(world.ask("revoke", #"{"task_id":"a","terminate":false,"signal":"SIGTERM"}"#) == ["ok": "tasks {'a'} flagged as revoked"])
        #expect(world.ask("revoke", #"{"task_id":["b","c","b"]}"#) == ["ok": "tasks {'b', 'c'} flagged as revoked"])
        let begins = world.engine.begins(1, at: world.now, MonitorWorld.time)
        #expect(!begins)
        let isRevoked = world.engine.isRevoked(JobID(rawValue: "c")!, at: world.now)
        #expect(isRevoked)
        #expect(world.ask("revoked") == ["a", "b", "c"])
    }

    @Test func `terminate ends those that run`() {
        var world = MonitorWorld()
        world.run("a", in: 7)
        world.run("b", in: 8)
        #expect(world.ask("revoke", #"{"task_id":["x"],"terminate":true}"#) == ["ok": "terminate: tasks unknown"])
        #expect(world.send(MonitorWorld.request("revoke", #"{"task_id":["a","x"],"terminate":true}"#)) == [.terminate([7])])
        #expect(world.ask("terminate", #"{"task_id":"b","signal":"KILL"}"#) == ["ok": "terminate: b"])
        #expect(world.send(MonitorWorld.request("revoke", #"{"task_id":"a"}"#)) == [])
    }

    @Test(arguments: [
        ("1", true), ("true", true), ("\"x\"", true), ("[0]", true), ("0", false), ("null", false), ("\"\"", false), ("{}", false),
    ])
    func `whether to terminate is what Python takes for true, since Flower sends a number`(_ value: String, _ terminates: Bool) {
        var world = MonitorWorld()
        world.run("a", in: 7)
        let effects = world.send(MonitorWorld.request("revoke", #"{"task_id":"a","terminate":\#(value)}"#))
        #expect(effects == (terminates ? [.terminate([7])] : []))
    }

    @Test func `shutdown is carried out and not answered`() {
        var world = MonitorWorld()
        #expect(world.send(MonitorWorld.request("shutdown", destination: #"["w2@host"]"#)) == [])
        #expect(world.send(MonitorWorld.request("shutdown")) == [.shutdown])
        #expect(world.answers().isEmpty)
    }

    @Test func `events of jobs are switched on and off, those of the worker are not`() {
        var world = MonitorWorld(sendsTaskEvents: false)
        world.run("a", in: 1)
        #expect(world.events().isEmpty)
        #expect(world.ask("enable_events") == ["ok": "task events enabled"])
        #expect(world.ask("enable_events") == ["ok": "task events already enabled"])
        world.run("b", in: 2)
        #expect(world.events().map(\.type) == ["task-received", "task-started"])
        #expect(world.ask("disable_events") == ["ok": "task events disabled"])
        world.run("c", in: 3)
        #expect(world.events().isEmpty)
    }

    @Test func `hello exchanges what is revoked, in the form of either version, and not with oneself`() throws {
        var world = MonitorWorld()
        _ = world.ask("revoke", #"{"task_id":"a"}"#)
        #expect(world.ask("hello", #"{"from_node":"w1@host","revoked":["z"]}"#) == .null)
        let answer = try #require(world.ask("hello", #"{"from_node":"w2@host","revoked":["b"]}"#)?.objectValue)
        #expect(answer["revoked"] == ["a", "b"])
        #expect(answer["clock"]?.integerValue != nil)
        _ = world.ask("hello", #"{"from_node":"w3@host","revoked":{"c":[1.5,"c"]}}"#)
        #expect(world.ask("revoked") == ["a", "b", "c"])
    }

    @Test func `a worker that takes no commands answers questions all the same`() {
        var world = MonitorWorld { $0.acceptsControl = false }
        world.run("a", in: 1)
        #expect(world.send(MonitorWorld.request("shutdown")) == [])
        #expect(world.send(MonitorWorld.request("revoke", #"{"task_id":"a","terminate":true}"#)) == [])
        #expect(world.ask("revoked") == [])
        #expect(world.ask("hello", #"{"from_node":"w2@host","revoked":["b"]}"#)?.objectValue?["revoked"] == [])
        #expect(world.ask("terminate", #"{"task_id":"a"}"#) == ["error": "this worker takes no commands"])
        #expect(world.ask("ping") == ["ok": "pong"])
    }

    @Test func `a heartbeat comes with every interval, and when it is asked for`() {
        var world = MonitorWorld()
        func types() -> [String] {
            world.engine.nextBatch().compactMap { if case .worker(let event) = $0 { event.type } else { nil } }
        }
        #expect(world.engine.nextDeadline == nil)
        world.engine.connected(at: world.now, MonitorWorld.time)
        #expect(types() == ["worker-online"])
        #expect(world.engine.nextDeadline == Instant(nanoseconds: 2_000_000_000))
        world.engine.tick(at: Instant(nanoseconds: 2_000_000_000), MonitorWorld.time)
        #expect(types() == ["worker-heartbeat"])
        #expect(world.engine.nextDeadline == Instant(nanoseconds: 4_000_000_000))
        _ = world.send(MonitorWorld.message(#"{"method":"heartbeat"}"#))
        #expect(types() == ["worker-heartbeat"])
        world.engine.goesOffline(at: MonitorWorld.time)
        #expect(world.engine.nextDeadline == nil)
        #expect(types() == ["worker-offline"])
        _ = world.send(MonitorWorld.message(#"{"method":"heartbeat"}"#))
        #expect(types() == [])
    }

    @Test func `nothing is published while the server takes nothing`() {
        var world = MonitorWorld()
        world.engine.connected(at: world.now, MonitorWorld.time)
        world.engine.blocked()
        world.run("a", in: 1)
        #expect(world.engine.nextBatch() == [])
        world.engine.unblocked()
        #expect(world.engine.nextBatch().contains { if case .jobs(let events) = $0 { events.count == 2 } else { false } })
        world.engine.disconnected()
        world.engine.unblocked()
        world.run("b", in: 1)
        #expect(world.engine.nextBatch() == [])
    }
}
