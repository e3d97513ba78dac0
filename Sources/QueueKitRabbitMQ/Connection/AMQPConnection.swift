internal import CScaleRabbitMQ
internal import QueueKit
internal import ScaleCore

/// One connection to RabbitMQ with one channel, on a thread of its own.
///
/// rabbitmq-c's calls block, its handles belong to one thread, and with several channels its waiting calls lose frames: so a connection has
/// one channel, and a ``FrameReader`` takes frames apart. Between calls the thread waits for the socket, and for the time of the next heartbeat.
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
    var handle: AMQPHandle?
    /// The socket while it is open, for whoever must end a call that blocks the thread.
    private nonisolated let socket = Locked<Int32?>(nil)
    let arena = AMQPArena()
    /// What has come in and is not told yet.
    private var events: [AMQPEvent] = []
    private var reader = FrameReader(channel: AMQPConnection.channel)
    private var heartbeat: Duration = .seconds(60)
    var confirms = false
    var unsettled = UnsettledDeliveries()
    /// Whether what comes is settled by us, all of it.
    var acknowledges = true

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

    func lose(_ failure: AMQPFailure) {
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
    func call<Result>(_ name: String, _ body: (AMQPHandle, AMQPArena) throws(AMQPFailure) -> Result) throws(AMQPFailure) -> Result {
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
            self.reader = FrameReader(channel: Self.channel)
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
                self.take(frame, handle)
                amqp_maybe_release_buffers_on_channel(handle.state, Self.channel)
                if self.events.count >= Self.eventsAtOnce { self.tell() }
            }
        }
    }

    private static let eventsAtOnce = 256

    private func take(_ frame: amqp_frame_t, _ handle: AMQPHandle) {
        let finding: FrameReader.Finding
        do {
            finding = try self.reader.read(frame)
        } catch {
            return self.lose(.lost("frames in an order that AMQP does not allow"))
        }
        switch finding {
        case .nothing:
            break
        case .delivery(let tag):
            if self.acknowledges { self.unsettled.arrived(tag) }
        case .event(let event):
            self.events.append(event)
        case .channelClosed(let code, let text):
            // Where it cannot be opened again the connection is lost already.
            guard (try? self.reopenChannel(handle)) != nil else { return }
            self.events.append(.channelClosed(code: code, text: text))
        case .connectionClosed(let code, let text):
            handle.acceptConnectionClose()
            self.lose(.closed(code: code, text: text))
        }
    }
}
