import ScaleCore
import Testing

struct LockedTests {
    private final class Counter: Sendable {
        let value = Locked(0)
    }

    @Test func `increments from many tasks are all counted`() async {
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<1_000 { counter.value.withLock { $0 += 1 } } }
            }
        }
        #expect(counter.value.withLock { $0 } == 8_000)
    }

    @Test func `an error leaves the lock open`() {
        struct Boom: Error {}
        let value = Locked("before")
        #expect(throws: Boom.self) {
            try value.withLock { text throws(Boom) in
                text = "changed"
                throw Boom()
            }
        }
        #expect(value.withLock { $0 } == "changed")
    }
}
