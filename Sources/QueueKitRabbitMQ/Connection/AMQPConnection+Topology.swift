internal import CScaleRabbitMQ
internal import QueueKit

/// Queues and exchanges, as they are declared, bound and emptied.
extension AMQPConnection {
    // MARK: Topology

    struct QueueState: Sendable {
        var messages: Int
        var consumers: Int
    }

    @discardableResult
    func declareQueue(
        _ name: String, passive: Bool = false, durable: Bool = true, exclusive: Bool = false, autoDelete: Bool = false,
        arguments: JSONObject = [:]
    ) throws(AMQPFailure) -> QueueState {
        try self.call("queue.declare") { handle, arena throws(AMQPFailure) in
            let answer = amqp_queue_declare(
                handle.state, Self.channel, arena.bytes(name), passive ? 1 : 0, durable ? 1 : 0, exclusive ? 1 : 0, autoDelete ? 1 : 0,
                arena.table(arguments))
            try handle.check("queue.declare")
            return QueueState(messages: Int(answer?.pointee.message_count ?? 0), consumers: Int(answer?.pointee.consumer_count ?? 0))
        }
    }

    func declareExchange(
        _ name: String, type: String, durable: Bool = true, autoDelete: Bool = false, arguments: JSONObject = [:]
    ) throws(AMQPFailure) {
        try self.call("exchange.declare") { handle, arena throws(AMQPFailure) in
            _ = amqp_exchange_declare(
                handle.state, Self.channel, arena.bytes(name), arena.bytes(type), 0, durable ? 1 : 0, autoDelete ? 1 : 0, 0,
                arena.table(arguments))
            try handle.check("exchange.declare")
        }
    }

    func bindQueue(_ queue: String, to exchange: String, key: String) throws(AMQPFailure) {
        try self.call("queue.bind") { handle, arena throws(AMQPFailure) in
            _ = amqp_queue_bind(
                handle.state, Self.channel, arena.bytes(queue), arena.bytes(exchange), arena.bytes(key), arena.table([:]))
            try handle.check("queue.bind")
        }
    }

    func bindExchange(_ destination: String, to source: String, key: String) throws(AMQPFailure) {
        try self.call("exchange.bind") { handle, arena throws(AMQPFailure) in
            _ = amqp_exchange_bind(
                handle.state, Self.channel, arena.bytes(destination), arena.bytes(source), arena.bytes(key), arena.table([:]))
            try handle.check("exchange.bind")
        }
    }

    /// Removes what no consumer holds, and returns how many.
    func purge(_ queue: String) throws(AMQPFailure) -> Int {
        try self.call("queue.purge") { handle, arena throws(AMQPFailure) in
            let answer = amqp_queue_purge(handle.state, Self.channel, arena.bytes(queue))
            try handle.check("queue.purge")
            return Int(answer?.pointee.message_count ?? 0)
        }
    }
}
