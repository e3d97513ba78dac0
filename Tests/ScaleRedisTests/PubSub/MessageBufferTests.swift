import Testing

@testable import ScaleRedis

@Suite struct MessageBufferTests {
    static func message(_ number: UInt8) -> RedisSubscriptionEvent {
        .message(RedisMessage(channel: "c", payload: [number]))
    }

    /// Everything that a consumer reads until it would have to wait.
    static func drain(_ buffer: inout MessageBuffer<Int>) -> [RedisSubscriptionEvent] {
        var events: [RedisSubscriptionEvent] = []
        while case .event(let event) = buffer.next(0, 0) { events.append(event) }
        return events
    }

    @Test func `what fits comes in order`() {
        var buffer = MessageBuffer<Int>(.init(limit: 3))
        for number in 1...3 { _ = buffer.push(Self.message(UInt8(number))) }
        #expect(Self.drain(&buffer) == [1, 2, 3].map(Self.message))
    }

    @Test func `the oldest go, and where they were stands how many`() {
        var buffer = MessageBuffer<Int>(.init(limit: 2, overflow: .dropOldest))
        for number in 1...5 { _ = buffer.push(Self.message(UInt8(number))) }
        #expect(Self.drain(&buffer) == [.dropped(3), Self.message(4), Self.message(5)])
    }

    @Test func `the newest go, and where they were stands how many`() {
        var buffer = MessageBuffer<Int>(.init(limit: 2, overflow: .dropNewest))
        for number in 1...5 { _ = buffer.push(Self.message(UInt8(number))) }
        #expect(Self.drain(&buffer) == [Self.message(1), Self.message(2), .dropped(3)])
    }

    @Test func `events about the connection are never dropped`() {
        var buffer = MessageBuffer<Int>(.init(limit: 1))
        for event in [Self.message(1), .interrupted, .resumed, Self.message(2), Self.message(3)] { _ = buffer.push(event) }
        #expect(Self.drain(&buffer) == [.dropped(1), .interrupted, .resumed, .dropped(1), Self.message(3)])
    }

    @Test func `waiting consumers get what comes, in the order in which they came`() {
        var buffer = MessageBuffer<Int>(.init(limit: 1))
        for consumer in 1...3 { _ = buffer.next(UInt64(consumer), consumer) }
        #expect(buffer.cancel(2) == 2)
        #expect(buffer.cancel(2) == nil)
        #expect(buffer.push(Self.message(1)) == 1)
        #expect(buffer.push(Self.message(2)) == 3)
        #expect(buffer.push(Self.message(3)) == nil)
    }

    @Test func `after the end what is buffered can be read, and then the end`() {
        var buffer = MessageBuffer<Int>(.init())
        _ = buffer.push(Self.message(1))
        #expect(buffer.finish(.finished).isEmpty)
        _ = buffer.push(Self.message(2))
        #expect(Self.drain(&buffer) == [Self.message(1)])
        guard case .end(.finished) = buffer.next(0, 0) else {
            Issue.record("no end")
            return
        }
        var waited = MessageBuffer<Int>(.init())
        _ = waited.next(7, 7)
        #expect(waited.finish(.finished) == [7])
        #expect(waited.finish(.finished).isEmpty)
    }
}
