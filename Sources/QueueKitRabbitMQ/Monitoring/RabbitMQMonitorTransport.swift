internal import QueueKit
internal import ScaleCore

/// Watchers over RabbitMQ, in the exchanges and queues of Celery 5: events go to a topic exchange, requests come through a fanout exchange
/// into a queue of the node's own, answers go to a direct exchange. Each link is a connection.
struct RabbitMQMonitorTransport: MonitorTransport {
    /// Opens a connection that carries nothing else.
    let open: AMQPOpener
    let brokerFacts: JSONObject
    let queueArguments: JSONObject

    /// - Throws: ``QueueError`` `.unavailable`, with RabbitMQ's words: 405 when another connection, perhaps one that it has not noticed
    ///   to be gone, has the node's mailbox.
    func open(_ address: MonitorAddress, onEvent: @escaping @Sendable (MonitorLinkEvent) -> Void) async throws -> any MonitorLink {
        let ending = LinkEnding(onEvent)
        do {
            let connection = try await self.open { events in
                for event in events {
                    switch event {
                    case .content(let content): if case .deliver = content.head { onEvent(.request(content.message)) }
                    case .blocked: onEvent(.blocked)
                    case .unblocked: onEvent(.unblocked)
                    case .consumerCancelled: ending.end("the mailbox is gone")
                    // It is open again, and without a consumer.
                    case .channelClosed(let code, let text): ending.end("RabbitMQ closed the channel with \(code): \(text)")
                    case .closed(let failure): ending.end(AMQPFailure.words(for: failure))
                    case .confirmed: break
                    }
                }
            }
            do {
                try await Self.declare(address, on: connection)
            } catch {
                await connection.close()
                throw error
            }
            return RabbitMQMonitorLink(connection: connection)
        } catch let failure as AMQPFailure {
            throw failure.error()
        }
    }

    /// With Celery's arguments: any other ones would be refused where a Celery worker or Flower was first.
    private static func declare(_ address: MonitorAddress, on connection: AMQPConnection) async throws {
        try await connection.declareExchange(address.eventExchange, type: "topic")
        try await connection.declareExchange(address.requestExchange, type: "fanout", durable: false)
        try await connection.declareExchange(address.replyExchange, type: "direct", durable: false)
        try await connection.declareQueue(
            address.mailbox, durable: false, exclusive: true, autoDelete: true,
            arguments: ["x-expires": 10_000, "x-message-ttl": 300_000])
        try await connection.bindQueue(address.mailbox, to: address.requestExchange, key: "")
        try await connection.consume(address.mailbox, tag: "scalekit-mailbox", acknowledges: false)
    }
}

/// A connection to RabbitMQ as a link to watchers.
private struct RabbitMQMonitorLink: MonitorLink {
    let connection: AMQPConnection

    func publish(_ publications: [MonitorPublication]) async throws {
        do {
            try await self.connection.publish(
                publications.map { publication in
                    AMQPOutgoing(
                        exchange: publication.exchange, routingKey: publication.routingKey, message: publication.message,
                        isMandatory: false)
                })
        } catch {
            throw error.error()
        }
    }

    func close() async {
        await self.connection.close()
    }
}

/// Tells once that a link is gone.
private final class LinkEnding: Sendable {
    private let onEvent: @Sendable (MonitorLinkEvent) -> Void
    private let hasEnded = Locked(false)

    init(_ onEvent: @escaping @Sendable (MonitorLinkEvent) -> Void) {
        self.onEvent = onEvent
    }

    func end(_ reason: String) {
        let isFirst = self.hasEnded.withLock { hasEnded in
            defer { hasEnded = true }
            return !hasEnded
        }
        if isFirst { self.onEvent(.lost(reason)) }
    }
}

extension RabbitMQMonitorTransport {
    /// What `stats` shows of the server. Neither the user's name nor the password.
    static func facts(of endpoint: AMQPEndpoint, heartbeat: Int, connectTimeout: Duration) -> JSONObject {
        [
            "transport": "amqp",
            "hostname": .string(endpoint.hosts.first?.name ?? "localhost"),
            "port": .integer(Int64(endpoint.hosts.first?.port ?? 5672)),
            "virtual_host": .string(endpoint.virtualHost),
            "ssl": .bool(endpoint.usesTLS),
            "heartbeat": .integer(Int64(heartbeat)),
            "connect_timeout": .double(connectTimeout.fractionalSeconds),
        ]
    }
}
