import ScaleCore
import Testing

@testable import QueueKit

/// What workers tell each other when they start.
@Suite struct MingleTests {
    private static func answer(_ body: String, ticket: JSONValue = "ours") -> Message {
        Message(headers: ["ticket": ticket, "clock": 40], properties: .init(), body: Array(body.utf8))
    }

    /// What is revoked after an answer.
    private static func revoked(after body: String, ticket: JSONValue = "ours", _ configure: (inout MonitorNode) -> Void = { _ in })
        -> JSONValue?
    {
        var world = MonitorWorld(configure)
        if let answer = MingleAnswer(Self.answer(body, ticket: ticket)) { world.engine.learn(answer, at: world.now) }
        return world.ask("revoked")
    }

    @Test func `with every link all workers are asked, and told what is revoked`() throws {
        var world = MonitorWorld()
        _ = world.send(MonitorWorld.request("revoke", #"{"task_id":"a"}"#))
        let hello = world.published().compactMap { item -> MonitorPublication? in
            if case .answer(let publication) = item, publication.exchange == "celery.pidbox" { publication } else { nil }
        }
        let message = try #require(hello.first).message
        let request = try #require(ControlRequest(message))
        #expect(hello.count == 1)
        #expect(request.method == "hello")
        #expect(request.audience == .everybody)
        #expect(request.arguments == ["from_node": "w1@host", "revoked": ["a"]])
        #expect(request.replyTarget == .init(exchange: "", routingKey: "w1@host.celery.pidbox", ticket: "ours"))
        #expect(request.clock != nil)
    }

    @Test func `what the others know to be revoked is taken over, in the form of either version`() {
        #expect(Self.revoked(after: #"{"w2@host":{"revoked":["b","c"],"clock":7}}"#) == ["b", "c"])
        #expect(Self.revoked(after: #"{"w2@host":{"revoked":{"b":[1.5,"b"]},"clock":7}}"#) == ["b"])
        #expect(Self.revoked(after: #"{"w1@host":null}"#) == [])
    }

    @Test func `an answer that nobody asked for, or that a worker without control gets, is none`() {
        #expect(Self.revoked(after: #"{"w2@host":{"revoked":["b"]}}"#, ticket: "theirs") == [])
        #expect(Self.revoked(after: #"{"w2@host":{"revoked":["b"]}}"#, ticket: nil) == [])
        #expect(Self.revoked(after: #"{"w2@host":{"revoked":["b"]}}"#) { $0.acceptsControl = false } == [])
    }

    @Test(arguments: ["", "[]", "{", #"{"w2@host":7}"#, #"{"w2@host":{"revoked":7}}"#, #"{"w2@host":{"revoked":[[],{},null,""]}}"#])
    func `an answer of a wrong kind is survived`(_ body: String) {
        #expect(Self.revoked(after: body) == [])
    }
}
