import DequeModule

/// The bounded queue between a subscription's connection and its consumers, as a value.
///
/// Messages beyond the limit are dropped, and a `dropped` event stands where they are missing. The events about the connection are few
/// and never dropped.
struct MessageBuffer<Waiter> {
    enum End {
        case finished
        case failed(RedisError)
    }

    enum NextEffect {
        case event(RedisSubscriptionEvent)
        case end(End)
        case parked
    }

    private let configuration: RedisSubscriptionBuffer
    private var events = Deque<RedisSubscriptionEvent>()
    private var messageCount = 0
    /// Messages dropped before the first event, not reported yet.
    private var droppedAtFront = 0
    private var waiters = Deque<(token: UInt64, waiter: Waiter)>()
    private var end: End?

    init(_ configuration: RedisSubscriptionBuffer) {
        self.configuration = configuration
    }

    /// Takes an event; returns the consumer who is to be woken with it.
    mutating func push(_ event: RedisSubscriptionEvent) -> Waiter? {
        guard self.end == nil else { return nil }
        if let first = self.waiters.popFirst() { return first.waiter }
        guard case .message = event else {
            self.events.append(event)
            return nil
        }
        if self.messageCount >= max(1, self.configuration.limit) {
            switch self.configuration.overflow {
            case .dropNewest:
                self.noteDropAtEnd()
                return nil
            case .dropOldest:
                self.dropOldestMessage()
            }
        }
        self.events.append(event)
        self.messageCount += 1
        return nil
    }

    /// The next event for a consumer, or its place in the queue of those that wait.
    mutating func next(_ token: UInt64, _ waiter: Waiter) -> NextEffect {
        if self.droppedAtFront > 0 {
            defer { self.droppedAtFront = 0 }
            return .event(.dropped(self.droppedAtFront))
        }
        if let event = self.events.popFirst() {
            if case .message = event { self.messageCount -= 1 }
            return .event(event)
        }
        if let end = self.end { return .end(end) }
        self.waiters.append((token, waiter))
        return .parked
    }

    mutating func cancel(_ token: UInt64) -> Waiter? {
        guard let index = self.waiters.firstIndex(where: { $0.token == token }) else { return nil }
        return self.waiters.remove(at: index).waiter
    }

    /// Nothing comes any more. What is buffered can still be read; the consumers returned are to be told of the end.
    mutating func finish(_ end: End) -> [Waiter] {
        guard self.end == nil else { return [] }
        self.end = end
        defer { self.waiters.removeAll() }
        return self.waiters.map(\.waiter)
    }

    private mutating func noteDropAtEnd() {
        if case .dropped(let count) = self.events.last {
            self.events[self.events.count - 1] = .dropped(count + 1)
        } else {
            self.events.append(.dropped(1))
        }
    }

    private mutating func dropOldestMessage() {
        guard
            let index = self.events.firstIndex(where: { event in
                if case .message = event { true } else { false }
            })
        else { return }
        self.events.remove(at: index)
        self.messageCount -= 1
        if index == 0 {
            self.droppedAtFront += 1
        } else if case .dropped(let count) = self.events[index - 1] {
            self.events[index - 1] = .dropped(count + 1)
        } else {
            self.events.insert(.dropped(1), at: index)
        }
    }
}

extension MessageBuffer: Sendable where Waiter: Sendable {}
extension MessageBuffer.NextEffect: Sendable {}
