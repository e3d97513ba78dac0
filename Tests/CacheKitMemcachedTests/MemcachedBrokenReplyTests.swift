import CacheKit
import CacheKitMemcached
import ScaleCore
import ScaleTesting
import Testing

/// Servers whose answers are cut or are no answers.
@Suite(.timeLimit(.minutes(10))) struct MemcachedBrokenReplyTests {
    private let key = CacheKey(namespace: "n", name: "k")

    private func store(_ url: String) throws -> MemcachedCacheStore {
        var configuration = MemcachedConfiguration()
        configuration.replyTimeout = .milliseconds(200)
        configuration.restAfterFailure = .zero
        return try MemcachedCacheStore(url, configuration: configuration)
    }

    @Test(arguments: [true, false])
    func `an answer that is cut anywhere is an error, never a miss, and the next call is served`(closes: Bool) async throws {
        let whole = "VALUE n:v:k 0 2 7\r\n42\r\nEND\r\n"
        let valueEnd = 23
        for length in 0..<whole.utf8.count {
            let cut = String(decoding: whole.utf8.prefix(length), as: UTF8.self)
            let isCutting = Locked(false)
            let server = try ScriptedServer { line, _ in
                guard line.hasPrefix("gets") else { return .silence }
                guard isCutting.withLock({ $0 }) else { return .bytes(whole) }
                return closes ? .last(cut) : .bytes(cut)
            }
            let store = try self.store(server.url)
            // So that the connection is known to have worked. On a busy machine an answer may come too late.
            try await eventually(within: .seconds(120), "the first call is served") { (try? await self.expectAnswer(store)) != nil }
            isCutting.withLock { $0 = true }
            do {
                let reading = try await store.read([self.key], epochs: [])
                // What came before the cut is the value, whole and with its number.
                guard case .counter(42)? = reading.entries.first, length >= valueEnd else {
                    Issue.record("an answer cut after \(length) bytes was taken for \(reading.entries)")
                    continue
                }
            } catch let error as CacheError {
                #expect(error.code == .storeUnavailable && error.key == "k", "cut after \(length) bytes")
            }
            isCutting.withLock { $0 = false }
            try await eventually(within: .seconds(120), "the next call is served after a cut at \(length)") {
                (try? await self.expectAnswer(store)) != nil
            }
            await store.shutdown()
            server.stop()
        }
    }

    @Test func `the keys of a silent server are errors, those of the others are served`() async throws {
        let silent = try ScriptedServer { _, _ in .silence }
        let good = try ScriptedServer { line, _ in line.hasPrefix("gets") ? .bytes("END\r\n") : .silence }
        let store = try self.store("memcached://127.0.0.1:\(silent.port),127.0.0.1:\(good.port)")
        let keys = (0..<40).map { CacheKey(namespace: "n", name: "k\($0)") }
        let outcomes = await withTaskGroup(of: (Int, Bool).self) { group in
            for (index, key) in keys.enumerated() {
                group.addTask { (index, (try? await store.read([key], epochs: [])) != nil) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        func isAsked(_ server: ScriptedServer, for index: Int) -> Bool {
            server.lines.contains { $0.split(separator: " ").contains("n:v:k\(index)") }
        }
        var served = 0
        for (index, isServed) in outcomes {
            if isServed {
                #expect(isAsked(good, for: index), "a key of the silent server was taken for a miss")
                served += 1
                continue
            }
            // Either the silent server has it, or the good one had no turn in time on a busy machine: then it is served now.
            try await eventually(within: .seconds(120), "key \(index) is the silent server's, or is served") {
                if isAsked(silent, for: index) { return true }
                guard (try? await store.read([keys[index]], epochs: [])) != nil else { return false }
                served += 1
                return true
            }
        }
        #expect((1..<keys.count).contains(served), "one server has none of 40 keys, or was failed by the other: \(served)")
        await store.shutdown()
        silent.stop()
        good.stop()
    }

    private func expectAnswer(_ store: MemcachedCacheStore) async throws {
        guard case .counter(42)? = try await store.read([self.key], epochs: []).entries.first else {
            throw TestFailure("another answer than the server's")
        }
    }
}
