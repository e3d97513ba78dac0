internal import CScaleRabbitMQ
internal import QueueKit
internal import ScaleCore

/// What a connection tells by itself.
enum AMQPEvent: Sendable {
    case content(ContentAssembler.Content)
    /// A confirm of the server for what was published.
    case confirmed(tag: UInt64, multiple: Bool, isAccepted: Bool)
    /// The server takes no more from this connection for now.
    case blocked(reason: String)
    case unblocked
    /// The consumer's queue is gone.
    case consumerCancelled(String)
    /// The server closed the channel; it is open again, and empty.
    case channelClosed(code: Int, text: String)
    /// The last event.
    case closed(AMQPFailure)
}

/// Takes events in their order, those together that came together.
typealias AMQPEventHandler = @Sendable ([AMQPEvent]) -> Void

/// One connection to RabbitMQ with one channel, on a thread of its own.
///
/// rabbitmq-c's calls block, its handles belong to one thread, and with several channels its waiting calls lose frames: so a connection has
/// one channel, and frames are taken apart here. Between calls the thread waits for the socket, and for the time of the next heartbeat.
actor AMQPConnection {
    struct Options: Sendable {
        var name: String
        var connectTimeout: Duration
        var rpcTimeout: Duration
        /// In seconds, as AMQP has it; both sides may lower it.
        var heartbeat: Int
        /// A file of certificate authorities in PEM, for TLS.
        var certificateAuthorities: String
    }

    private nonisolated let thread: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { self.thread.asUnownedSerialExecutor() }

    private let onEvents: AMQPEventHandler
    private var handle: AMQPHandle?
    /// The socket while it is open, for whoever must end a call that blocks the thread.
    private nonisolated let socket = Locked<Int32?>(nil)
    private let arena = AMQPArena()
    /// What has come in and is not told yet.
    private var events: [AMQPEvent] = []
    private var assembler = ContentAssembler()
    private var heartbeat: Duration = .seconds(60)
    private var confirms = false
    private var unsettled = UnsettledDeliveries()
    /// Whether what comes is settled by us, all of it.
    private var acknowledges = true

    static let channel: amqp_channel_t = 1

    private init(onEvents: @escaping AMQPEventHandler) throws(QueueError) {
        do {
            self.thread = try ThreadExecutor(name: "scalekit-amqp")
        } catch {
            throw QueueError(code: .unavailable, message: "no thread for a connection: \(error)")
        }
        self.onEvents = onEvents
    }

    /// Connects and signs in to the first host of the endpoint that lets us.
    ///
    /// - Parameter onEvents: called on the connection's thread, with what came together; hands over and returns.
    /// - Throws: `AMQPFailure` of the last host; `QueueError` when there is no thread to be had.
    static func open(
        _ endpoint: AMQPEndpoint, _ options: Options, onEvents: @escaping AMQPEventHandler
    ) async throws -> AMQPConnection {
        let connection = try AMQPConnection(onEvents: onEvents)
        var failure = AMQPFailure.lost("no host")
        for host in endpoint.hosts {
            do {
                try await connection.connect(to: host, endpoint, options)
                return connection
            } catch let error as AMQPFailure {
                failure = error
            }
        }
        throw failure
    }

    // MARK: Opening and closing

    private func connect(to host: ServiceURL.Host, _ endpoint: AMQPEndpoint, _ options: Options) throws {
        let handle = try AMQPHandle()
        try handle.openSocket(to: host, usesTLS: endpoint.usesTLS, options)
        handle.setTimeout(options.rpcTimeout)
        try handle.login(endpoint, options)
        _ = amqp_channel_open(handle.state, Self.channel)
        do {
            try handle.check("channel.open")
        } catch {
            guard case .refused(let code, let text) = error else { throw error }
            throw AMQPFailure.lost("the server refused a channel with \(code): \(text)")
        }
        self.handle = handle
        self.socket.withLock { $0 = handle.descriptor }
        self.heartbeat = .seconds(max(1, Int(amqp_get_heartbeat(handle.state))))
        self.watch(handle)
    }

    private func watch(_ handle: AMQPHandle) {
        // Half of the heartbeat is what the server counts on.
        let deadline = TimeSource.system.now().advanced(by: self.heartbeat / 2)
        self.thread.watch(
            ThreadWatch(descriptor: handle.descriptor, deadline: deadline) { [weak self] event in
                self?.assumeIsolated { connection in
                    connection.pump()
                    if event == .deadline, let handle = connection.handle { connection.watch(handle) }
                }
            })
    }

    /// Says good-bye, as far as that is possible, and frees the handle.
    ///
    /// - Parameter limit: how long a call that blocks the thread, as one does whose server does not read, may go on.
    nonisolated func close(within limit: Duration = .seconds(3)) async {
        let patience = Task {
            try await TimeSource.system.sleep(for: limit)
            self.interrupt()
        }
        await self.end()
        patience.cancel()
    }

    /// Makes the call under way, and every later one, fail. From any thread: the descriptor is not closed while the lock is held.
    nonisolated func interrupt() {
        self.socket.withLock { socket in
            if let socket { AMQPHandle.shutDown(socket) }
        }
    }

    private func end() {
        guard let handle = self.handle else { return }
        self.forget()
        _ = amqp_connection_close(handle.state, 200)
        self.socket.withLock { $0 = nil }
    }

    private func lose(_ failure: AMQPFailure) {
        guard self.handle != nil else { return }
        self.forget()
        self.socket.withLock { $0 = nil }
        self.events.append(.closed(failure))
        self.tell()
    }

    private func forget() {
        self.thread.watch(nil)
        self.handle = nil
    }

    private func tell() {
        guard !self.events.isEmpty else { return }
        let events = self.events
        self.events.removeAll(keepingCapacity: true)
        self.onEvents(events)
    }

    /// How long a frame may be.
    var frameBytes: Int { self.handle.map { Int(amqp_get_frame_max($0.state)) } ?? AMQPFrameSize.wanted }

    /// Runs a call that waits for the server's answer, and then handles what came in meanwhile.
    private func call<Result>(_ name: String, _ body: (AMQPHandle, AMQPArena) throws(AMQPFailure) -> Result) throws(AMQPFailure) -> Result {
        guard let handle = self.handle else { throw .lost("it is closed") }
        do {
            defer { self.arena.reset() }
            let result = try body(handle, self.arena)
            self.pump()
            return result
        } catch .refused(let code, let text) {
            try self.reopenChannel(handle)
            self.events.append(.channelClosed(code: code, text: text))
            self.tell()
            throw .refused(code: code, text: text)
        } catch {
            self.lose(error)
            throw error
        }
    }

    /// After the server closed the channel: says so, and opens it again.
    private func reopenChannel(_ handle: AMQPHandle) throws(AMQPFailure) {
        do {
            try handle.acceptClose(of: Self.channel)
            _ = amqp_channel_open(handle.state, Self.channel)
            try handle.check("channel.open")
            self.assembler = ContentAssembler()
            self.unsettled = UnsettledDeliveries()
            if self.confirms {
                _ = amqp_confirm_select(handle.state, Self.channel)
                try handle.check("confirm.select")
            }
        } catch {
            self.lose(error)
            throw error
        }
    }

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

    // MARK: What comes in

    /// Takes all frames that are there, also those that rabbitmq-c has read while it waited for an answer, and sends a heartbeat when due.
    private func pump() {
        while let handle = self.handle {
            switch handle.nextFrame() {
            case .none:
                amqp_maybe_release_buffers(handle.state)
                return self.tell()
            case .failed(let failure):
                self.lose(failure)
            case .frame(let frame):
                do {
                    try self.take(frame, handle)
                } catch let failure as AMQPFailure {
                    self.lose(failure)
                } catch {
                    self.lose(.lost("frames in an order that AMQP does not allow"))
                }
                amqp_maybe_release_buffers_on_channel(handle.state, Self.channel)
                if self.events.count >= Self.eventsAtOnce { self.tell() }
            }
        }
    }

    private static let eventsAtOnce = 256

    private func take(_ frame: amqp_frame_t, _ handle: AMQPHandle) throws {
        // Channel 0 is the connection's own; there are no others.
        guard frame.channel == Self.channel || (frame.channel == 0 && Int32(frame.frame_type) == AMQP_FRAME_METHOD) else {
            if Int32(frame.frame_type) == AMQP_FRAME_HEARTBEAT { return }
            throw ContentAssembler.Violation()
        }
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD:
            try self.take(method: frame.payload.method, handle)
        case AMQP_FRAME_HEADER:
            let header = AMQPHandle.contentHeader(frame)
            if let content = try self.assembler.header(
                header.properties, headers: header.headers, messageID: header.messageID, bodySize: frame.payload.properties.body_size)
            {
                self.events.append(.content(content))
            }
        case AMQP_FRAME_BODY:
            if let content = try self.assembler.body(AMQPFields.bytes(frame.payload.body_fragment)) {
                self.events.append(.content(content))
            }
        default:
            break
        }
    }

    private func take(method: amqp_method_t, _ handle: AMQPHandle) throws {
        guard let decoded = method.decoded else { return }
        switch method.id {
        case scale_amqp_basic_deliver:
            let deliver = decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
            if self.acknowledges { self.unsettled.arrived(deliver.delivery_tag) }
            try self.assembler.method(
                .deliver(
                    tag: deliver.delivery_tag, consumer: AMQPFields.text(deliver.consumer_tag), isRedelivered: deliver.redelivered != 0,
                    exchange: AMQPFields.text(deliver.exchange), routingKey: AMQPFields.text(deliver.routing_key)))
        case scale_amqp_basic_return:
            let returned = decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            try self.assembler.method(
                .returned(
                    code: Int(returned.reply_code), text: AMQPFields.text(returned.reply_text),
                    exchange: AMQPFields.text(returned.exchange), routingKey: AMQPFields.text(returned.routing_key)))
        case scale_amqp_basic_ack:
            let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            self.events.append(.confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0, isAccepted: true))
        case scale_amqp_basic_nack:
            let nack = decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            self.events.append(.confirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0, isAccepted: false))
        case scale_amqp_basic_cancel:
            let cancel = decoded.assumingMemoryBound(to: amqp_basic_cancel_t.self).pointee
            self.events.append(.consumerCancelled(AMQPFields.text(cancel.consumer_tag)))
        case scale_amqp_connection_blocked:
            let blocked = decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            self.events.append(.blocked(reason: AMQPFields.text(blocked.reason)))
        case scale_amqp_connection_unblocked:
            self.events.append(.unblocked)
        case scale_amqp_channel_close:
            let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            let (code, text) = (Int(close.reply_code), AMQPFields.text(close.reply_text))
            try self.reopenChannel(handle)
            self.events.append(.channelClosed(code: code, text: text))
        case scale_amqp_connection_close:
            let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            handle.acceptConnectionClose()
            throw AMQPFailure.closed(code: Int(close.reply_code), text: AMQPFields.text(close.reply_text))
        default:
            break
        }
    }
}
