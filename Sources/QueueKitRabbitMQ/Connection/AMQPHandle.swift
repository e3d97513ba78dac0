internal import CScaleRabbitMQ
internal import QueueKit
internal import ScaleCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// rabbitmq-c's connection state, freed with this object.
///
/// `@unchecked Sendable`: it is made, used and given up by one ``AMQPConnection`` on its thread; after that nobody but the last release,
/// which frees the state, touches it.
final class AMQPHandle: @unchecked Sendable {
    let state: amqp_connection_state_t

    /// What ``nextFrame()`` found.
    enum Next {
        case frame(amqp_frame_t)
        case none
        case failed(AMQPFailure)
    }

    init() throws(AMQPFailure) {
        guard let state = amqp_new_connection() else { throw .lost("no memory for a connection") }
        self.state = state
    }

    deinit {
        amqp_destroy_connection(self.state)
    }

    var descriptor: Int32 { amqp_get_sockfd(self.state) }

    // MARK: Opening

    func openSocket(to host: ServiceURL.Host, usesTLS: Bool, _ options: AMQPConnection.Options) throws(AMQPFailure) {
        let socket = usesTLS ? amqp_ssl_socket_new(self.state) : amqp_tcp_socket_new(self.state)
        guard let socket else { throw .lost("no memory for a socket") }
        if usesTLS {
            amqp_ssl_socket_set_verify_peer(socket, 1)
            amqp_ssl_socket_set_verify_hostname(socket, 1)
            amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST)
            guard amqp_ssl_socket_set_cacert(socket, options.certificateAuthorities) == AMQP_STATUS_OK.rawValue else {
                throw .lost("the certificate authorities in \(options.certificateAuthorities) cannot be read")
            }
        }
        var limit = Self.limit(options.connectTimeout)
        let status = amqp_socket_open_noblock(socket, host.name, Int32(clamping: host.port ?? 5672), &limit)
        guard status == AMQP_STATUS_OK.rawValue else {
            throw .status("\(host.name):\(host.port ?? 5672)", status)
        }
    }

    /// Ends reading and writing on a socket, whoever is at it.
    static func shutDown(_ socket: Int32) {
        _ = shutdown(socket, Int32(SHUT_RDWR))
    }

    /// Runs `body`, whose writes leave in as few packets as they fit into, and all of them by its end.
    ///
    /// rabbitmq-c writes each frame by itself: without this the server would be woken for every message and every acknowledgement of a batch.
    func batchingWrites<Result>(_ body: () throws(AMQPFailure) -> Result) throws(AMQPFailure) -> Result {
        self.holdPackets(true)
        defer { self.holdPackets(false) }
        return try body()
    }

    /// On Linux only: what Darwin holds back, it does not send as soon as it may.
    private func holdPackets(_ isHolding: Bool) {
        #if os(Linux)
        var value: Int32 = isHolding ? 1 : 0
        // A socket that does not know this sends at once, as ever.
        setsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
        #endif
    }

    func setTimeout(_ timeout: Duration) {
        var limit = Self.limit(timeout)
        amqp_set_rpc_timeout(self.state, &limit)
        amqp_set_handshake_timeout(self.state, &limit)
    }

    func login(_ endpoint: AMQPEndpoint, _ options: AMQPConnection.Options) throws(AMQPFailure) {
        let arena = AMQPArena()
        var properties = arena.table([
            "product": "ScaleKit", "platform": "Swift", "connection_name": .string(options.name),
            "capabilities": ["consumer_cancel_notify": true, "connection.blocked": true, "publisher_confirms": true, "basic.nack": true],
        ])
        let reply = scale_amqp_login(
            self.state, endpoint.virtualHost, 2047, Int32(AMQPFrameSize.wanted), Int32(clamping: options.heartbeat), &properties,
            endpoint.user,
            endpoint.password.reveal())
        withExtendedLifetime(arena) {}
        do {
            try self.check("connection.open", reply)
        } catch .refused(let code, let text) {
            throw .lost("the server refused with \(code): \(text)")
        }
    }

    // MARK: Writing

    func publish(_ outgoing: AMQPOutgoing, on channel: amqp_channel_t, _ arena: AMQPArena) throws(AMQPFailure) {
        defer { arena.reset() }
        var properties = Self.properties(of: outgoing, arena)
        let status = amqp_basic_publish(
            self.state, channel, arena.bytes(outgoing.exchange), arena.bytes(outgoing.routingKey), outgoing.isMandatory ? 1 : 0, 0,
            &properties, arena.bytes(outgoing.message.body))
        guard status == AMQP_STATUS_OK.rawValue else { throw .status("basic.publish", status) }
    }

    func write(_ word: UnsettledDeliveries.Word, on channel: amqp_channel_t) throws(AMQPFailure) {
        let status: Int32 =
            switch word {
            case .acknowledge(let tag): amqp_basic_ack(self.state, channel, tag, 0)
            case .acknowledgeAllUpTo(let tag): amqp_basic_ack(self.state, channel, tag, 1)
            case .giveBack(let tag): amqp_basic_nack(self.state, channel, tag, 0, 1)
            }
        guard status == AMQP_STATUS_OK.rawValue else { throw .status("basic.ack", status) }
    }

    // MARK: Answers

    /// The answer to the last call.
    func check(_ call: String) throws(AMQPFailure) {
        try self.check(call, amqp_get_rpc_reply(self.state))
    }

    private func check(_ call: String, _ reply: amqp_rpc_reply_t) throws(AMQPFailure) {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL:
            return
        case AMQP_RESPONSE_SERVER_EXCEPTION where reply.reply.id == scale_amqp_channel_close:
            guard let close = reply.reply.decoded?.assumingMemoryBound(to: amqp_channel_close_t.self).pointee else {
                throw .lost(call)
            }
            throw .refused(code: Int(close.reply_code), text: AMQPFields.text(close.reply_text))
        case AMQP_RESPONSE_SERVER_EXCEPTION where reply.reply.id == scale_amqp_connection_close:
            self.acceptConnectionClose()
            guard let close = reply.reply.decoded?.assumingMemoryBound(to: amqp_connection_close_t.self).pointee else {
                throw .lost(call)
            }
            throw .closed(code: Int(close.reply_code), text: AMQPFields.text(close.reply_text))
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
            throw .status(call, reply.library_error)
        default:
            throw .lost(call)
        }
    }

    /// Answers a channel.close, after which the channel's number is free.
    func acceptClose(of channel: amqp_channel_t) throws(AMQPFailure) {
        var ok = amqp_channel_close_ok_t()
        let status = amqp_send_method(self.state, channel, scale_amqp_channel_close_ok, &ok)
        guard status == AMQP_STATUS_OK.rawValue else { throw .status("channel.close-ok", status) }
    }

    func acceptConnectionClose() {
        var ok = amqp_connection_close_ok_t()
        amqp_send_method(self.state, 0, scale_amqp_connection_close_ok, &ok)
    }

    /// The next frame that is there. `poll` alone would not do: frames may already be in rabbitmq-c's buffers, or in those of TLS.
    func nextFrame() -> Next {
        var frame = amqp_frame_t()
        var none = Self.limit(.zero)
        let status = amqp_simple_wait_frame_noblock(self.state, &frame, &none)
        switch status {
        case AMQP_STATUS_OK.rawValue: return .frame(frame)
        case AMQP_STATUS_TIMEOUT.rawValue: return .none
        default: return .failed(.status("reading", status))
        }
    }

    // MARK: Properties

    static func properties(of outgoing: AMQPOutgoing, _ arena: AMQPArena) -> amqp_basic_properties_t {
        let message = outgoing.message
        let source = message.properties
        var properties = amqp_basic_properties_t()
        var flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_HEADERS_FLAG
        func set(_ field: inout amqp_bytes_t, _ text: String?, _ flag: Int32) {
            // A short string on the wire; a longer one would make the whole message unsendable.
            guard let text, text.utf8.count <= 255 else { return }
            field = arena.bytes(text)
            flags |= flag
        }
        set(&properties.content_type, source.contentType, AMQP_BASIC_CONTENT_TYPE_FLAG)
        set(&properties.content_encoding, source.contentEncoding, AMQP_BASIC_CONTENT_ENCODING_FLAG)
        set(&properties.correlation_id, source.correlationID, AMQP_BASIC_CORRELATION_ID_FLAG)
        set(&properties.reply_to, source.replyTo, AMQP_BASIC_REPLY_TO_FLAG)
        set(&properties.expiration, source.expiration, AMQP_BASIC_EXPIRATION_FLAG)
        set(&properties.message_id, outgoing.messageID, AMQP_BASIC_MESSAGE_ID_FLAG)
        properties.delivery_mode = UInt8(clamping: source.deliveryMode)
        properties.priority = UInt8(clamping: source.priority)
        properties.headers = arena.table(message.headers)
        properties._flags = UInt32(bitPattern: flags)
        return properties
    }

    /// A content header as it came; `headers` is `nil` when they cannot be read.
    static func contentHeader(_ frame: amqp_frame_t) -> (properties: Message.Properties, headers: JSONObject?, messageID: String?) {
        var properties = Message.Properties()
        guard let decoded = frame.payload.properties.decoded?.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee else {
            return (properties, nil, nil)
        }
        let flags = Int32(bitPattern: decoded._flags)
        func text(_ bytes: amqp_bytes_t, _ flag: Int32) -> String? { flags & flag != 0 ? AMQPFields.text(bytes) : nil }
        properties.contentType = text(decoded.content_type, AMQP_BASIC_CONTENT_TYPE_FLAG)
        properties.contentEncoding = text(decoded.content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG)
        properties.correlationID = text(decoded.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG)
        properties.replyTo = text(decoded.reply_to, AMQP_BASIC_REPLY_TO_FLAG)
        properties.expiration = text(decoded.expiration, AMQP_BASIC_EXPIRATION_FLAG)
        properties.deliveryMode = flags & AMQP_BASIC_DELIVERY_MODE_FLAG != 0 && decoded.delivery_mode == 1 ? 1 : 2
        properties.priority = flags & AMQP_BASIC_PRIORITY_FLAG != 0 ? Int(decoded.priority) : 0
        let headers = flags & AMQP_BASIC_HEADERS_FLAG != 0 ? try? AMQPFields.object(decoded.headers) : [:]
        return (properties, headers, text(decoded.message_id, AMQP_BASIC_MESSAGE_ID_FLAG))
    }

    private static func limit(_ duration: Duration) -> timeval {
        let microseconds = max(0, duration.wholeNanoseconds) / 1000
        var value = timeval()
        value.tv_sec = .init(microseconds / 1_000_000)
        value.tv_usec = .init(microseconds % 1_000_000)
        return value
    }
}
