internal import CScaleRabbitMQ

/// Takes the frames of a connection with one channel apart, and puts messages together from them.
struct FrameReader {
    /// What a frame says.
    enum Finding: Sendable {
        /// Nothing, or nothing yet.
        case nothing
        /// The server begins to send a message to a consumer.
        case delivery(tag: UInt64)
        case event(AMQPEvent)
        /// The server has closed the channel, and waits for a word that this was heard.
        case channelClosed(code: Int, text: String)
        /// The server closes the connection, and waits for a word that this was heard.
        case connectionClosed(code: Int, text: String)
    }

    let channel: amqp_channel_t
    private var assembler = ContentAssembler()

    init(channel: amqp_channel_t) {
        self.channel = channel
    }

    /// - Throws: `ContentAssembler.Violation` for what may not come, or not now: what follows has no meaning any more.
    mutating func read(_ frame: amqp_frame_t) throws(ContentAssembler.Violation) -> Finding {
        // Channel 0 is the connection's own; there are no others.
        guard frame.channel == self.channel || (frame.channel == 0 && Int32(frame.frame_type) == AMQP_FRAME_METHOD) else {
            if Int32(frame.frame_type) == AMQP_FRAME_HEARTBEAT { return .nothing }
            throw ContentAssembler.Violation()
        }
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD:
            return try self.read(method: frame.payload.method)
        case AMQP_FRAME_HEADER:
            let header = AMQPHandle.contentHeader(frame)
            return Self.finding(
                try self.assembler.header(
                    header.properties, headers: header.headers, messageID: header.messageID,
                    bodySize: frame.payload.properties.body_size))
        case AMQP_FRAME_BODY:
            return Self.finding(try self.assembler.body(AMQPFields.bytes(frame.payload.body_fragment)))
        default:
            return .nothing
        }
    }

    private static func finding(_ content: ContentAssembler.Content?) -> Finding {
        content.map { .event(.content($0)) } ?? .nothing
    }

    private mutating func read(method: amqp_method_t) throws(ContentAssembler.Violation) -> Finding {
        guard let decoded = method.decoded else { return .nothing }
        switch method.id {
        case scale_amqp_basic_deliver:
            let deliver = decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
            try self.assembler.method(
                .deliver(
                    tag: deliver.delivery_tag, consumer: AMQPFields.text(deliver.consumer_tag), isRedelivered: deliver.redelivered != 0,
                    exchange: AMQPFields.text(deliver.exchange), routingKey: AMQPFields.text(deliver.routing_key)))
            return .delivery(tag: deliver.delivery_tag)
        case scale_amqp_basic_return:
            let returned = decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            try self.assembler.method(
                .returned(
                    code: Int(returned.reply_code), text: AMQPFields.text(returned.reply_text),
                    exchange: AMQPFields.text(returned.exchange), routingKey: AMQPFields.text(returned.routing_key)))
            return .nothing
        case scale_amqp_basic_ack:
            let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .event(.confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0, isAccepted: true))
        case scale_amqp_basic_nack:
            let nack = decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .event(.confirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0, isAccepted: false))
        case scale_amqp_basic_cancel:
            let cancel = decoded.assumingMemoryBound(to: amqp_basic_cancel_t.self).pointee
            return .event(.consumerCancelled(AMQPFields.text(cancel.consumer_tag)))
        case scale_amqp_connection_blocked:
            let blocked = decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            return .event(.blocked(reason: AMQPFields.text(blocked.reason)))
        case scale_amqp_connection_unblocked:
            return .event(.unblocked)
        case scale_amqp_channel_close:
            let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            return .channelClosed(code: Int(close.reply_code), text: AMQPFields.text(close.reply_text))
        case scale_amqp_connection_close:
            let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            return .connectionClosed(code: Int(close.reply_code), text: AMQPFields.text(close.reply_text))
        default:
            return .nothing
        }
    }
}
