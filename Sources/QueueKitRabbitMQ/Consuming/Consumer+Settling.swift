internal import Logging
internal import QueueKit
internal import ScaleCore

/// What becomes of messages that have come.
extension Consumer {
    /// The message of a lease whose owner speaks its last word; ``end(_:_:)`` or ``resume(_:)`` is to follow.
    func settle(_ lease: Lease) throws(QueueError) -> DeliveryLedger.Item {
        let now = self.time.now()
        return try self.desk.state.withLock { state throws(QueueError) in try state.ledger.settle(lease, at: now) }
    }

    /// Acknowledges the message of a lease and ends the lease.
    func end(_ lease: Lease, _ item: DeliveryLedger.Item) async throws {
        let isKnown = await self.write(.acknowledge(item.tag.number), item)
        self.desk.state.withLock { $0.ledger.settled(lease) }
        self.deadlinesChanged()
        // The server has the message, and gives it to somebody else.
        guard isKnown else { throw QueueError.staleLease(lease) }
    }

    /// The owner's word could not be carried out.
    func resume(_ lease: Lease) {
        self.desk.state.withLock { $0.ledger.unsettled(lease) }
        self.deadlinesChanged()
    }

    /// Tells the server what becomes of a message; `false` when the connection over which it came is gone.
    private func write(_ settlement: AMQPSettlement, _ item: DeliveryLedger.Item) async -> Bool {
        let link = self.desk.state.withLock { $0.epoch == item.tag.epoch ? $0.link : nil }
        return await link?.settlements.write(settlement) ?? false
    }

    /// Puts a message back into its queue with one more loss.
    func returnLost(_ item: DeliveryLedger.Item) async {
        var lost = item
        lost.losses += 1
        await self.putBack(lost)
    }

    /// Puts a message back into its queue as it is: published again, and then acknowledged. Only that way does a message lose nothing by
    /// having been here; what is merely not acknowledged comes back as redelivered, which counts as a loss.
    private func putBack(_ item: DeliveryLedger.Item) async {
        do {
            try await self.republish(item)
            _ = await self.write(.acknowledge(item.tag.number), item)
        } catch {
            // It comes again, and is counted then.
            _ = await self.write(.giveBack(item.tag.number), item)
        }
    }

    private func putBack(_ items: [DeliveryLedger.Item]) async {
        await withTaskGroup(of: Void.self) { group in
            for item in items { group.addTask { await self.putBack(item) } }
        }
    }

    /// Removes what waits here for a worker, and returns how many.
    func purge(_ queue: String) async -> Int {
        let items = self.desk.state.withLock { $0.ledger.takeWaiting(of: queue) }
        await withTaskGroup(of: Void.self) { group in
            for item in items { group.addTask { _ = await self.write(.acknowledge(item.tag.number), item) } }
        }
        return items.count
    }

    /// Ends the consumer of a queue from which nobody has asked for messages for a while, and lets others have what has come.
    func stopConsuming(_ queue: String) async {
        _ = try? await self.setup.run {
            guard let (tag, connection) = self.consumer(of: queue) else { return }
            try await connection.cancelConsumer(tag)
            let items = self.desk.state.withLock { state in
                state.queues[tag] = nil
                return state.ledger.takeWaiting(of: queue)
            }
            self.logger.debug(
                "messages that nobody asks for go back", metadata: ["queue": "\(queue)", "messages": "\(items.count)"])
            await self.putBack(items)
        }
        self.deadlinesChanged()
        // Somebody may have asked meanwhile.
        self.recover()
    }

    /// Has as many messages sent ahead as those who ask from now on need, and not as whoever asked for most. What is here goes back.
    func resetPrefetch() async {
        let queues = self.desk.state.withLock { state in
            state.prefetch = self.configuration.initialPrefetch
            return Array(state.queues.values)
        }
        for queue in queues { await self.stopConsuming(queue) }
    }

    /// Ends all consumers and lets others have what no worker has.
    func giveBackWaiting(until deadline: Instant) async {
        let (connection, tags) = self.desk.state.withLock { ($0.link?.connection, Array($0.queues.keys)) }
        guard let connection else { return }
        let patience = Task {
            try await TimeSource.system.sleep(until: deadline)
            connection.interrupt()
        }
        defer { patience.cancel() }
        for tag in tags { try? await connection.cancelConsumer(tag) }
        await self.putBack(self.desk.state.withLock { $0.ledger.takeWaiting() })
    }

    private func consumer(of queue: String) -> (tag: String, connection: AMQPConnection)? {
        self.desk.state.withLock { state in
            guard let tag = state.consumer(of: queue), let connection = state.link?.connection else { return nil }
            return (tag, connection)
        }
    }
}
