import CacheKit
import CacheKitMemcached
import ScaleTesting
import Testing

/// How many questions reach the wire.
@Suite(.timeLimit(.minutes(10))) struct MemcachedCoalescingTests {
    @Test func `what waits while a read is under way becomes one multi-get, and each caller gets its own`() async throws {
        let gate = ReplyGate()
        let server = try ScriptedServer { line, number in
            guard line.hasPrefix("gets ") else { return .silence }
            if number == 0 { gate.wait() }
            // Every key holds its own number.
            let items = line.split(separator: " ").dropFirst().map { key -> String in
                let digits = key.drop { !$0.isNumber }
                return "VALUE \(key) 0 \(digits.utf8.count) 1\r\n\(digits)\r\n"
            }
            return .bytes(items.joined() + "END\r\n")
        }
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        async let first = store.read([CacheKey(namespace: "n", name: "k0")], epochs: [])
        try await eventually("the first question has been sent") { server.lines.count == 1 }

        let callers = (1...64).map { number in
            Task {
                // Two keys each, one of them the neighbour's.
                try await store.read([number, number % 64 + 1].map { CacheKey(namespace: "n", name: "k\($0)") }, epochs: [])
            }
        }
        try await eventually("all callers wait") { store.waitingReads == 64 }
        gate.open()

        guard case .counter(0)? = try await first.entries.first else { throw TestFailure("the first caller got another's answer") }
        for (index, caller) in callers.enumerated() {
            let entries = try await caller.value.entries
            guard entries.count == 2, case .counter(let own) = entries[0], case .counter(let neighbour) = entries[1] else {
                throw TestFailure("caller \(index + 1) got \(entries)")
            }
            #expect(own == Int64(index + 1))
            #expect(neighbour == Int64((index + 1) % 64 + 1))
        }
        #expect(server.lines.count == 2, "64 callers have asked \(server.lines.count - 1) times")
        #expect(server.lines.last?.split(separator: " ").count == 65, "a key was asked for twice")
        await store.shutdown()
        server.stop()
    }

    @Test func `many keys are asked for in chunks`() async throws {
        let server = try ScriptedServer { line, _ in line.hasPrefix("gets ") ? .bytes("END\r\n") : .silence }
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        let reading = try await store.read((0..<250).map { CacheKey(namespace: "n", name: "k\($0)") }, epochs: [])
        #expect(reading.entries.count == 250)
        #expect(server.lines.map { $0.split(separator: " ").count - 1 } == [100, 100, 50])
        await store.shutdown()
        server.stop()
    }

    @Test func `a caller that is cancelled while it waits leaves at once`() async throws {
        let gate = ReplyGate()
        let server = try ScriptedServer { _, _ in
            gate.wait()
            return .bytes("END\r\n")
        }
        let store = try MemcachedCacheStore(server.url, configuration: .patient)
        async let first = store.read([CacheKey(namespace: "n", name: "a")], epochs: [])
        try await eventually("the first question has been sent") { server.lines.count == 1 }
        let second = Task { try await store.read([CacheKey(namespace: "n", name: "b")], epochs: []) }
        try await eventually("the second caller waits") { store.waitingReads == 1 }
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        gate.open()
        _ = try await first
        #expect(server.lines == ["gets n:v:a"])
        await store.shutdown()
        server.stop()
    }
}
