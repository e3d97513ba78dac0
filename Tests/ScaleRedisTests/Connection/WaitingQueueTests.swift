import NIOCore
import ScaleCore
import Testing

@testable import ScaleRedis

@Suite struct WaitingQueueTests {
    static func call(_ number: UInt64, deadline: Int64 = .max) -> WaitingCall<UInt64> {
        WaitingCall(
            token: CallToken(number: number), waiter: number, replyCount: 1, bytes: ByteBuffer(), deadline: Instant(nanoseconds: deadline))
    }

    @Test func `calls leave in the order in which they came, without those that were taken out`() {
        var queue = WaitingQueue<UInt64>()
        for number in 1...5 { queue.append(Self.call(UInt64(number))) }
        queue.prepend(Self.call(0))
        #expect(queue.remove(CallToken(number: 0))?.waiter == 0)
        #expect(queue.remove(CallToken(number: 3))?.waiter == 3)
        #expect(queue.remove(CallToken(number: 3)) == nil)
        let first = queue.first
        #expect(first?.waiter == 1)
        #expect(queue.count == 4)
        var order: [UInt64] = []
        while let call = queue.popFirst() { order.append(call.waiter) }
        #expect(order == [1, 2, 4, 5])
        #expect(queue.isEmpty)
    }

    @Test func `those whose deadline has passed leave in order`() {
        var queue = WaitingQueue<UInt64>()
        for (number, deadline) in [(1, 30), (2, 10), (3, 20)] { queue.append(Self.call(UInt64(number), deadline: Int64(deadline))) }
        #expect(queue.removeExpired(at: Instant(nanoseconds: 9)).isEmpty)
        #expect(queue.removeExpired(at: Instant(nanoseconds: 20)).map(\.waiter) == [2, 3])
        #expect(queue.removeAll().map(\.waiter) == [1])
    }

    @Test func `cancelled calls behind a stuck one leave nothing behind`() {
        var queue = WaitingQueue<UInt64>()
        queue.append(Self.call(0))
        for number in 1...10_000 {
            queue.append(Self.call(UInt64(number)))
            _ = queue.remove(CallToken(number: UInt64(number)))
        }
        #expect(queue.count == 1)
        #expect(queue.remembered < 100)
    }
}
