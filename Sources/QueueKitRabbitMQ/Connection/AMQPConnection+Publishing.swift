internal import CScaleRabbitMQ

/// What is sent to the server, with its confirms.
extension AMQPConnection {
    // MARK: Publishing

    /// From now on the server confirms what is published.
    func selectConfirms() throws(AMQPFailure) {
        try self.call("confirm.select") { handle, _ throws(AMQPFailure) in
            _ = amqp_confirm_select(handle.state, Self.channel)
            try handle.check("confirm.select")
        }
        self.confirms = true
    }

    /// Publishes what `next` gives, in its order, until it gives nothing. What was not sent when it fails is not confirmed.
    func publish(_ next: () -> [AMQPOutgoing]) throws(AMQPFailure) {
        while true {
            let batch = next()
            if batch.isEmpty { return }
            try self.publish(batch)
        }
    }

    /// Publishes messages in their order.
    func publish(_ messages: [AMQPOutgoing]) throws(AMQPFailure) {
        guard let handle = self.handle else { throw .lost("it is closed") }
        do {
            try handle.batchingWrites { () throws(AMQPFailure) in
                for outgoing in messages { try handle.publish(outgoing, on: Self.channel, self.arena) }
            }
        } catch {
            self.lose(error)
            throw error
        }
    }
}
