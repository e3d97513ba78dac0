import CacheKit
import CacheKitMemcached
import ScaleCore
import ScaleTesting
import Testing

/// 10,000 random replies over sockets: the process lives, every failure is typed, and who asks afterwards is served.
@Suite(.timeLimit(.minutes(10))) struct MemcachedReplyFuzzTests {
    @Test(arguments: CommandUnderTest.allCases)
    func `random replies are answers or typed errors, and the next call is served`(command: CommandUnderTest) async throws {
        let seed = try Seed.fromEnvironment() ?? .random()
        let random = Locked(seed.generator())
        let isHealed = Locked(false)
        let server = try command.server {
            if isHealed.withLock({ $0 }) { return .bytes(command.success) }
            return .lastBytes(random.withLock { RandomReply.bytes(keys: ["n:v:k", "n:v:other"], using: &$0) })
        }
        let store = try CommandUnderTest.store(server)
        for round in 0..<20 {
            for _ in 0..<100 {
                do {
                    try await command.call(store)
                } catch let error as CacheError {
                    #expect([.storeUnavailable, .valueTooLarge, .wrongKind].contains(error.code), "\(seed): \(error)")
                } catch is TestFailure {
                    // An answer, though not the value that a healthy server has.
                }
            }
            isHealed.withLock { $0 = true }
            try await eventually(within: .seconds(120), "\(command): the next call is served, round \(round), \(seed)") {
                do {
                    try await command.call(store)
                    return true
                } catch { return false }
            }
            isHealed.withLock { $0 = false }
        }
        await store.shutdown()
        server.stop()
    }
}
