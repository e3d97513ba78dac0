import CacheKit
import CacheKitMemcached
import ScaleCore
import ScaleTesting
import Testing

/// Replies that are cut, and replies to something else, for each command that is sent. Among them are all kinds on which libmemcached itself
/// ends the process (`KetamaRing`'s comment lists them).
@Suite(.timeLimit(.minutes(10))) struct MemcachedForeignReplyTests {
    /// Every kind of reply that the protocol knows, and some that it does not.
    private static let replies: [String] =
        [
            "9", "-1", "12345678901234567890123", "VALUE", "VALUE ", "VALUE n:v:k", "VALUE n:v:k 0", "VALUE n:v:k 0 1",
            "VALUE n:v:k 0 -1 7", "VALUE n:v:k 0 2 7\r\n421", "VALUE n:v:k 0 2 7\r\n42", "VALUE n:v:k 0 2 7\r\n42\r\nEND\r\nEND",
            "VALUE n:v:k 0 2 7\r\n42\r\nVALUE n:v:k 0 2 7\r\n43\r\nEND", "VALUE n:v:other 0 2 7\r\n42\r\nEND",
            "VALUE n:v:k 0 2\r\n42\r\nEND",
            "VALUE n:v:k 0 2 7 8\r\n42\r\nEND", "VALUE n:v:k 0 2 7 \r\n42\r\nEND", "VALUE  n:v:k 0 2 7\r\n42\r\nEND",
            "VALUE n:v:k 4294967296 2 7\r\n42\r\nEND", "VALUE n:v:k 0 99999999999999999999 7\r\nEND",
            "VALUE n:v:k 0 18446744073709551615 7\r\nEND",
            "VALUE n:v:k 0 9223372036854775807 7\r\nEND", "VALUE n:v:k 0 1048577 7\r\nEND",
            "VALUE n:v:k 0 2 18446744073709551616\r\n42\r\nEND",
            "VALUE n:v:k x 2 7\r\n42\r\nEND", "VERSION", "VERSION ", "VERSION 1", "VERSION 1.2.3", "STAT", "STAT a b", "STORED",
            "NOT_STORED",
            "EXISTS", "NOT_FOUND", "DELETED", "TOUCHED", "OK", "OKAY", "END", "ERROR", "CLIENT_ERROR",
            "CLIENT_ERROR bad command line format",
            "SERVER_ERROR", "SERVER_ERROR busy", "SERVER_ERRORS", "HD", "EN", "NF", "MN", "VA 2\r\n42", "KEY x", "ITEM",
            "ITEM x [1 b; 1 s]",
            "RESET", "BUSY", "", " ", "\0", "STORED ", " STORED", "stored", "STORED\r\nSTORED", "END\r\nSTORED",
            "HTTP/1.1 400 Bad Request\r\n", "VALUE \(String(repeating: "k", count: 251)) 0 2 7\r\n42\r\nEND",
            "VALUE \(String(repeating: "k", count: 400)) 0 2 7", String(repeating: "a", count: 5000),
        ].map { $0 + "\r\n" } + ["STORED\n", "END\n", "\n", "\r", "VALUE n:v:k 0 2 7\n42\r\nEND\r\n", "VALUE n:v:k 0 2 7\r\n42\nEND\r\n"]

    @Test(arguments: CommandUnderTest.allCases)
    func `a reply to something else is an error, the connection is given up, and the next call is served`(
        command: CommandUnderTest
    ) async throws {
        // A whole item counts even where the end of the answer is missing.
        let answers = [command.success] + command.otherReplies + (command == .gets ? ["VALUE n:v:k 0 2 7\r\n42\r\n"] : [])
        for reply in Self.replies where !answers.contains(reply) {
            try await self.expectError(command, .bytes(reply), "'\(reply.prefix(40))'")
        }
    }

    @Test(arguments: CommandUnderTest.allCases, [true, false])
    func `a reply that is cut anywhere is an error, the connection is given up, and the next call is served`(
        command: CommandUnderTest, closes: Bool
    ) async throws {
        // Whole items count even where the end of the answer is missing.
        let length = command == .gets ? "VALUE n:v:k 0 2 7\r\n42\r".utf8.count : command.success.utf8.count - 1
        for count in 0...length {
            let cut = String(decoding: command.success.utf8.prefix(count), as: UTF8.self)
            try await self.expectError(command, closes ? .last(cut) : .bytes(cut), "cut after \(count) bytes")
        }
    }

    @Test func `what comes unasked between two calls is not taken for an answer`() async throws {
        let server = try ScriptedServer { line, number in
            line.hasPrefix("gets") ? .bytes(number == 0 ? "END\r\n" : CommandUnderTest.item) : .bytes("STORED\r\nSTORED\r\n")
        }
        let store = try CommandUnderTest.store(server)
        let key = CacheKey(namespace: "n", name: "k")
        // The line of the command is answered too, so that the second pair of replies comes unasked.
        _ = try? await store.setCounter(key, to: 1, life: CacheLife(nil))
        for _ in 0..<3 {
            let error = await #expect(throws: CacheError.self) { try await store.setCounter(key, to: 1, life: CacheLife(nil)) }
            #expect(error?.code == .storeUnavailable)
        }
        await store.shutdown()
        server.stop()
    }

    @Test func `a length that is no length of an item is an error, however long items may be`() async throws {
        for length in ["9223372036854775807", "9223372036854775806", "9223372036854775805", "18446744073709551615", "1073741825"] {
            let server = try ScriptedServer { line, _ in
                line.hasPrefix("gets") ? .bytes("VALUE n:v:k 0 \(length) 7\r\n42\r\nEND\r\n") : .silence
            }
            var configuration = MemcachedConfiguration.patient
            configuration.maximumItemSize = .max
            let store = try MemcachedCacheStore(server.url, configuration: configuration)
            let error = await #expect(throws: CacheError.self) {
                try await store.read([CacheKey(namespace: "n", name: "k")], epochs: [])
            }
            #expect(error?.code == .storeUnavailable, "\(length)")
            await store.shutdown()
            server.stop()
        }
    }

    private func expectError(_ command: CommandUnderTest, _ reply: ScriptedServer.Reply, _ what: String) async throws {
        let isHealed = Locked(false)
        let server = try command.server { isHealed.withLock { $0 } ? .bytes(command.success) : reply }
        let store = try CommandUnderTest.store(server)
        do {
            try await command.call(store)
            Issue.record("\(command), \(what): taken for an answer")
        } catch let error as CacheError {
            #expect(error.code == .storeUnavailable && error.key == "k", "\(command), \(what): \(error)")
        }
        let connections = server.connections
        isHealed.withLock { $0 = true }
        try await eventually(within: .seconds(120), "\(command): the next call is served after \(what)") {
            do {
                try await command.call(store)
                return true
            } catch { return false }
        }
        #expect(server.connections > connections, "\(command), \(what): the connection was used again")
        await store.shutdown()
        server.stop()
    }
}
