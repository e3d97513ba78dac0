import QueueKit
import Testing

@testable import QueueKitRabbitMQ

@Suite struct DelayLadderTests {
    private func seconds(_ key: String, _ queue: String) -> Int? {
        guard key.hasSuffix("." + queue) else { return nil }
        let bits = key.dropLast(queue.count + 1).split(separator: ".")
        return bits.count == 28 ? Int(bits.joined(), radix: 2) : nil
    }

    @Test(arguments: [
        (Duration.seconds(5), 5), (.milliseconds(1), 1), (.milliseconds(1001), 2), (.seconds(0), 0), (.seconds(-3), 0),
        (.seconds(1 << 28), (1 << 28) - 1), (.seconds(Int64.max), (1 << 28) - 1),
    ])
    func `the bits of a key are the delay in seconds, rounded up`(delay: Duration, expected: Int) throws {
        #expect(self.seconds(try DelayLadder.routingKey("a.b", after: delay), "a.b") == expected)
    }

    @Test func `names that topic exchanges would take for patterns, or that are too long, have no delays`() throws {
        for name in ["#", "a.*", "*", "a.#.b", String(repeating: "q", count: 200)] {
            #expect(throws: QueueError.self) { try DelayLadder.routingKey(name, after: .seconds(1)) }
        }
        for name in ["a#", "a*.b", String(repeating: "q", count: 199)] {
            #expect(try DelayLadder.routingKey(name, after: .seconds(1)).utf8.count <= 255)
        }
    }
}
