import ScaleCore
import ScaleTesting
import Testing

struct FaultScriptTests {
    enum Operation: Equatable { case get(String), set(String) }
    struct Boom: Error, Equatable { var number = 0 }

    /// A fake as a kit would write it: one counter, and every operation through the script.
    final class Store: Sendable {
        let faults = FaultScript<Operation>()
        let effects = Locked(0)

        func run(_ operation: Operation) async throws -> String {
            try await self.faults.perform(operation) {
                self.effects.withLock { $0 += 1 }
                return "done"
            }
        }

        var effectCount: Int { self.effects.withLock { $0 } }
    }

    @Test func `without faults operations happen`() async throws {
        let store = Store()
        #expect(try await store.run(.get("a")) == "done")
        try store.faults.expectAllStruck()
    }

    @Test func `the next n calls of an operation fail and do not happen, others do`() async throws {
        let store = Store()
        store.faults.failNext(.get("a"), times: 2, with: Boom())
        #expect(store.faults.pendingCount == 2)
        await #expect(throws: Boom()) { try await store.run(.get("a")) }
        #expect(try await store.run(.get("b")) == "done")
        #expect(try await store.run(.set("a")) == "done")
        await #expect(throws: Boom()) { try await store.run(.get("a")) }
        #expect(store.effectCount == 2)
        #expect(try await store.run(.get("a")) == "done")
        try store.faults.expectAllStruck()
    }

    @Test func `a predicate chooses operations`() async throws {
        let store = Store()
        store.faults.failNext(with: Boom()) { if case .set = $0 { true } else { false } }
        #expect(try await store.run(.get("a")) == "done")
        await #expect(throws: Boom()) { try await store.run(.set("x")) }
        #expect(try await store.run(.set("x")) == "done")
    }

    @Test func `faults strike in the order in which they were planned`() async {
        let store = Store()
        store.faults.failNext(.get("a"), with: Boom(number: 1))
        store.faults.failNext(with: Boom(number: 2))
        await #expect(throws: Boom(number: 1)) { try await store.run(.get("a")) }
        await #expect(throws: Boom(number: 2)) { try await store.run(.get("a")) }
    }

    @Test func `a lost reply happens and throws all the same`() async {
        let store = Store()
        store.faults.plan(.lostReply(Boom()), for: .set("a"))
        await #expect(throws: Boom()) { try await store.run(.set("a")) }
        #expect(store.effectCount == 1)
    }

    @Test func `a paused operation happens when its gate opens`() async throws {
        let (store, gate) = (Store(), Gate())
        store.faults.plan(.pause(at: gate), for: .get("a"))
        let paused = Task { try await store.run(.get("a")) }
        try await gate.waitForArrivals()
        #expect(store.effectCount == 0)
        gate.open()
        #expect(try await paused.value == "done")
        #expect(store.effectCount == 1)
    }

    @Test func `a fault without a count strikes until it is cleared`() async throws {
        let store = Store()
        store.faults.plan(.failure(Boom()), for: .get("a"), times: nil)
        for _ in 0..<5 { await #expect(throws: Boom()) { try await store.run(.get("a")) } }
        try store.faults.expectAllStruck()
        store.faults.clear()
        #expect(try await store.run(.get("a")) == "done")
    }

    @Test func `a fault that did not strike fails the test`() {
        let store = Store()
        store.faults.failNext(.get("a"), times: 3, with: Boom())
        #expect { try store.faults.expectAllStruck() } throws: { "\($0)".contains("3 planned faults did not strike") }
    }

    @Test func `no count and a negative count plan nothing`() async throws {
        let store = Store()
        store.faults.failNext(.get("a"), times: 0, with: Boom())
        store.faults.failNext(.get("a"), times: -1, with: Boom())
        #expect(try await store.run(.get("a")) == "done")
    }

    @Test func `of many concurrent calls exactly n fail`() async {
        let store = Store()
        store.faults.failNext(times: 10, with: Boom())
        let failures = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<100 { group.addTask { (try? await store.run(.get("a"))) == nil ? 1 : 0 } }
            return await group.reduce(0, +)
        }
        #expect(failures == 10)
        #expect(store.effectCount == 90)
    }
}
