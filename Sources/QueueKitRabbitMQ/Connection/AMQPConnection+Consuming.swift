internal import CScaleRabbitMQ
internal import QueueKit

/// What the server is asked to send, and what is said of its deliveries.
extension AMQPConnection {
    // MARK: Consuming

    /// How many unacknowledged messages the server sends to a consumer that begins after this.
    func setPrefetch(_ count: Int) throws(AMQPFailure) {
        try self.call("basic.qos") { handle, _ throws(AMQPFailure) in
            _ = amqp_basic_qos(handle.state, Self.channel, 0, UInt16(clamping: count), 0)
            try handle.check("basic.qos")
        }
    }

    /// - Parameter acknowledges: whether deliveries are settled; otherwise the server forgets them as it sends them, and those of this
    ///   connection are not listed any more.
    func consume(_ queue: String, tag: String, acknowledges: Bool = true) throws(AMQPFailure) {
        if !acknowledges { self.acknowledges = false }
        try self.call("basic.consume") { handle, arena throws(AMQPFailure) in
            _ = amqp_basic_consume(
                handle.state, Self.channel, arena.bytes(queue), arena.bytes(tag), 0, acknowledges ? 0 : 1, 0, arena.table([:]))
            try handle.check("basic.consume")
        }
    }

    func cancelConsumer(_ tag: String) throws(AMQPFailure) {
        try self.call("basic.cancel") { handle, arena throws(AMQPFailure) in
            _ = amqp_basic_cancel(handle.state, Self.channel, arena.bytes(tag))
            try handle.check("basic.cancel")
        }
    }

    /// Settles deliveries of this connection. The server does not answer.
    func settle(_ settlements: [AMQPSettlement]) throws(AMQPFailure) {
        guard let handle = self.handle else { throw .lost("it is closed") }
        do {
            try handle.batchingWrites { () throws(AMQPFailure) in
                for word in self.unsettled.settle(settlements) { try handle.write(word, on: Self.channel) }
            }
        } catch {
            self.lose(error)
            throw error
        }
    }
}
