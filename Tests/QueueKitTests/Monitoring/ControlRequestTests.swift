import ScaleCore
import Testing

@testable import QueueKit

/// For whom a request is, and what becomes of those that nobody meant.
@Suite struct ControlRequestTests {
    @Test(arguments: [
        ("", true), (#""destination":null"#, true), (#""destination":[]"#, true), (#""destination":["w1@host"]"#, true),
        (#""destination":["w2@host","w1@host"]"#, true), (#""destination":["w2@host"]"#, false), (#""destination":"w1@host""#, true),
        (#""destination":"w1@hosts""#, false), (#""destination":7"#, false), (#""destination":[7,null,{}]"#, false),
        (#""destination":{"w1@host":1}"#, false), (#""pattern":"w*","matcher":"glob""#, true), (#""pattern":"x*","matcher":"glob""#, false),
        (#""pattern":"w.@","matcher":"pcre""#, true), (#""pattern":"w1","matcher":"magic""#, false), (#""pattern":"x""#, true),
        (#""destination":["w1@host"],"pattern":"x*","matcher":"glob""#, true),
        (#""destination":["w2@host"],"pattern":"*","matcher":"glob""#, false),
    ])
    func `destination, pattern and matcher say for whom a request is`(_ fields: String, _ isForUs: Bool) throws {
        let text = "{\"method\":\"ping\"\(fields.isEmpty ? "" : ",")\(fields)}"
        let request = try #require(ControlRequest(MonitorWorld.message(text)))
        #expect(request.isFor("w1@host") == isForUs)
    }

    /// By number: as arguments of a test they would be described, at great length.
    private static let strange = [
        "", "null", "[]", "7", "{}", #"{"method":null}"#, #"{"method":7}"#, "{", "\u{0}", #"{"method":"ping""#,
        String(repeating: "[", count: 100_000), #"{"method":"ping","arguments":"# + String(repeating: "[", count: 5000),
        #"{"method":"ping","arguments":"# + String(repeating: "[", count: 60) + String(repeating: "]", count: 60) + "}",
        #"{"method":"ping","x":""# + String(repeating: "x", count: 2_000_000) + #""}"#,
    ]

    @Test(arguments: Self.strange.indices) func `what is no request is none`(_ number: Int) {
        let isRequest = ControlRequest(MonitorWorld.message(Self.strange[number])) != nil
        #expect(!isRequest)
    }

    @Test(arguments: [
        #""reply_to":null"#, #""reply_to":[]"#, #""reply_to":{}"#, #""reply_to":{"exchange":7,"routing_key":"r"}"#,
        #""reply_to":{"exchange":"reply.celery.pidbox"}"#, #""reply_to":{"exchange":"celery","routing_key":"r"}"#,
        #""reply_to":{"exchange":"amq.nothing","routing_key":"r"}"#,
        #""reply_to":{"exchange":"reply.celery.pidbox","routing_key":""# + String(repeating: "r", count: 256) + #""}"#,
        #""reply_to":{"exchange":"reply.celery.pidbox","routing_key":"r"},"ticket":""# + String(repeating: "r", count: 256) + #"""#,
    ])
    func `an answer goes nowhere but to the exchange of answers or a queue by its name`(_ fields: String) {
        var world = MonitorWorld()
        _ = world.send(MonitorWorld.message("{\"method\":\"ping\",\(fields)}"))
        #expect(world.answers().isEmpty)
    }

    @Test func `an answer has the ticket, and a time later than the request's`() throws {
        var world = MonitorWorld()
        _ = world.send(
            MonitorWorld.message(
                #"{"method":"ping","ticket":"t1","reply_to":{"exchange":"reply.celery.pidbox","routing_key":"r1"}}"#, clock: 40))
        let answer = try #require(world.answers().first)
        #expect(answer.exchange == "reply.celery.pidbox")
        #expect(answer.routingKey == "r1")
        #expect(answer.message.headers["ticket"] == "t1")
        let clock = try #require(answer.message.headers["clock"]?.integerValue)
        #expect(clock > 40)
        #expect(answer.message.properties.deliveryMode == 1)
        #expect(try JSONParser.parse(answer.message.body) == ["w1@host": ["ok": "pong"]])
    }

    @Test(arguments: [
        "ping", "hello", "stats", "active", "reserved", "scheduled", "revoked", "registered", "active_queues", "conf", "query_task",
        "revoke",
        "terminate", "shutdown", "enable_events", "disable_events", "heartbeat", "clock", "report", "nonsense", "", "__class__",
    ])
    func `arguments of every wrong kind are survived, and the next request is answered`(_ method: String) {
        for arguments in [
            "null", "7", "[]", "\"x\"", #"{"task_id":7}"#, #"{"task_id":{"a":[1]},"ids":{"b":null},"revoked":true}"#, #"{"safe":[]}"#,
            #"{"task_id":[1,null,"",[],{}],"terminate":"yes","signal":{}}"#, #"{"from_node":7,"revoked":[[1,"x"]]}"#,
            #"{"task_id":["# + Array(repeating: #""a""#, count: 50_000).joined(separator: ",") + "]}",
        ] {
            var world = MonitorWorld()
            world.run("job", in: 1)
            _ = world.send(MonitorWorld.request(method, arguments))
            #expect(world.ask("ping") == ["ok": "pong"])
        }
    }

    @Test(arguments: [JSONValue.integer(.max), .integer(.min), "x", nil, .double(.nan), .bigInteger("99999999999999999999")])
    func `a request's time of any kind is survived`(_ clock: JSONValue) {
        var world = MonitorWorld()
        _ = world.send(MonitorWorld.message(#"{"method":"ping"}"#, clock: clock))
        #expect(world.ask("ping") == ["ok": "pong"])
    }
}
