import QueueKit
import ScaleCore
import ScaleTesting
import TestServers

@testable import QueueKitRabbitMQ

/// What Flower and `celery inspect` are to RabbitMQ: a queue of all events, one of answers, and requests to the workers' exchange.
final class Watcher: Sendable {
    private let connection: AMQPConnection
    private let inbox: RecordedFacts<(key: String, message: Message)>

    private init(_ connection: AMQPConnection, _ inbox: RecordedFacts<(key: String, message: Message)>) {
        self.connection = connection
        self.inbox = inbox
    }

    static func with(_ host: RabbitMQVirtualHost, _ body: (Watcher) async throws -> Void) async throws {
        let inbox = RecordedFacts<(key: String, message: Message)>()
        let options = AMQPConnection.Options(
            name: "watcher", connectTimeout: .seconds(60), rpcTimeout: .seconds(120), heartbeat: 30, certificateAuthorities: "")
        let endpoint = AMQPEndpoint(try ServiceURL(host.url, schemes: ServiceURL.Scheme.rabbitMQ))
        let connection = try await AMQPConnection.open(endpoint, options) { events in
            for case .content(let content) in events {
                if case .deliver(_, _, _, _, let key) = content.head { inbox.record((key, content.message)) }
            }
        }
        try await connection.declareExchange("celeryev", type: "topic")
        try await connection.declareExchange("celery.pidbox", type: "fanout", durable: false)
        try await connection.declareExchange("reply.celery.pidbox", type: "direct", durable: false)
        for (name, exchange, key) in [("events", "celeryev", "#"), ("answers", "reply.celery.pidbox", "answers")] {
            let queue = "\(name)-\(JobID())"
            try await connection.declareQueue(queue, durable: false, exclusive: true, autoDelete: true)
            try await connection.bindQueue(queue, to: exchange, key: key)
            try await connection.consume(queue, tag: queue, acknowledges: false)
        }
        let watcher = Watcher(connection, inbox)
        do {
            try await body(watcher)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    func publish(_ body: String, headers: JSONObject = ["clock": 1]) async throws {
        let message = Message(headers: headers, properties: .init(), body: Array(body.utf8))
        try await self.connection.publish([
            .init(exchange: "celery.pidbox", routingKey: "", message: message, isMandatory: false)
        ])
    }

    /// Asks all nodes until one answers: a worker that connects again does not hear what is asked meanwhile.
    func ask(_ method: String, _ arguments: String = "{}") async throws -> JSONObject {
        let seen = self.inbox.count
        return try await eventually(within: .seconds(90), "an answer to \(method)") {
            try await self.publish(
                #"{"method":"\#(method)","arguments":\#(arguments),"destination":null,"ticket":"t-\#(seen)","#
                    + #""reply_to":{"exchange":"reply.celery.pidbox","routing_key":"answers"}}"#)
            let deadline = TimeSource.system.now().advanced(by: .milliseconds(500))
            while TimeSource.system.now() < deadline {
                let answer = self.inbox.all.dropFirst(seen).first {
                    $0.key == "answers" && $0.message.headers["ticket"]?.stringValue == "t-\(seen)"
                }
                if let answer { return try JSONParser.parse(answer.message.body).objectValue }
                try await TimeSource.system.sleep(for: .milliseconds(5))
            }
            return nil
        }
    }

    /// All events so far, in their order.
    var events: [JSONObject] {
        self.inbox.all.filter { $0.key != "answers" }.flatMap { entry -> [JSONObject] in
            guard let body = try? JSONParser.parse(entry.message.body) else { return [] }
            return (body.arrayValue ?? [body]).compactMap(\.objectValue)
        }
    }

    func waitForEvent(_ type: String, of id: JobID? = nil, after count: Int = 0) async throws -> JSONObject {
        try await eventually(within: .seconds(90), "event \(type)") {
            self.events.dropFirst(count).first { $0["type"]?.stringValue == type && (id == nil || $0["uuid"]?.stringValue == id?.rawValue) }
        }
    }
}
