import CacheKit
import ScaleTesting
import Testing

@Suite struct CounterTests {
    private let cache = Cache(store: MemoryStore(), namespace: "n")

    private func expectCode(_ code: CacheError.Code, _ body: () async throws -> Void, _ location: SourceLocation = #_sourceLocation) async {
        let error = await #expect(throws: CacheError.self, sourceLocation: location) { try await body() }
        #expect(error?.code == code, sourceLocation: location)
        #expect(error?.key == "n", sourceLocation: location)
    }

    @Test func `a counter counts up and down from where it began`() async throws {
        await self.expectCode(.missingCounter) { _ = try await self.cache.increment("n") }
        #expect(try await self.cache.counter("n") == nil)
        #expect(try await self.cache.increment("n", by: 5, initial: 10) == 15)
        #expect(try await self.cache.increment("n", initial: 10) == 16)
        #expect(try await self.cache.increment("n", by: -20) == -4)
        #expect(try await self.cache.increment("n", by: 0) == -4)
        #expect(try await self.cache.counter("n") == -4)
        #expect(try await self.cache.contains("n"))
        #expect(try await self.cache.delete("n"))
        #expect(try await self.cache.counter("n") == nil)
    }

    @Test(arguments: [(Int64.max, Int64(1)), (.min, -1), (.max, .max), (.min, .min)])
    func `beyond its range is an error, and the counter keeps its value`(end: Int64, amount: Int64) async throws {
        try await self.cache.setCounter("n", to: end)
        await self.expectCode(.counterOverflow) { _ = try await self.cache.increment("n", by: amount) }
        #expect(try await self.cache.counter("n") == end)
        #expect(try await self.cache.increment("n", by: -amount.signum()) == end - amount.signum())
    }

    @Test func `a value is no counter and a counter is no value`() async throws {
        try await self.cache.set("5", for: "n")
        await self.expectCode(.wrongKind) { _ = try await self.cache.increment("n", initial: 0) }
        await self.expectCode(.wrongKind) { _ = try await self.cache.counter("n") }
        #expect(try await self.cache.get("n", as: String.self) == "5")
        try await self.cache.setCounter("n", to: 5)
        await self.expectCode(.wrongKind) { _ = try await self.cache.get("n", as: String.self) }
        await self.expectCode(.wrongKind) { _ = try await self.cache.getMany(["n"], as: Int.self) }
        await self.expectCode(.wrongKind) { _ = try await self.cache.value(for: "n") { 1 } }
        #expect(try await self.cache.counter("n") == 5)
    }

    @Test func `a thousand increments from many tasks lose none`() async throws {
        let cache = self.cache
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask { for _ in 0..<10 { _ = try await cache.increment("n", initial: 0) } }
            }
            try await group.waitForAll()
        }
        #expect(try await cache.counter("n") == 1_000)
    }

    @Test func `a store without counters says so`() async throws {
        let cache = Cache(store: LesserStore(MemoryStore()) { $0.counters = false })
        await self.expectCode(.unsupported) { _ = try await cache.increment("n", initial: 0) }
        await self.expectCode(.unsupported) { _ = try await cache.counter("n") }
        await self.expectCode(.unsupported) { try await cache.setCounter("n", to: 1) }
    }
}
