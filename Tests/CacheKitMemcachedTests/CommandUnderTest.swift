import CacheKit
import CacheKitMemcached
import ScaleCore
import ScaleTesting

/// A command that the store sends, with the call that leads to it and a server on which its replies are the test's.
enum CommandUnderTest: String, CaseIterable, Sendable {
    case gets, set, add, cas, delete

    private static let key = CacheKey(namespace: "n", name: "k")
    static let item = "VALUE n:v:k 0 2 7\r\n42\r\nEND\r\n"

    /// A reply of success.
    var success: String {
        switch self {
        case .gets: Self.item
        case .set, .add, .cas: "STORED\r\n"
        case .delete: "DELETED\r\n"
        }
    }

    /// Replies other than success that say what the server did.
    var otherReplies: [String] {
        switch self {
        case .gets: ["END\r\n"]
        case .set: []
        case .add: ["NOT_STORED\r\n"]
        case .cas: ["EXISTS\r\n", "NOT_FOUND\r\n"]
        case .delete: ["NOT_FOUND\r\n"]
        }
    }

    /// Makes the store send the command.
    func call(_ store: MemcachedCacheStore) async throws {
        switch self {
        case .gets:
            guard case .counter(42)? = try await store.read([Self.key], epochs: []).entries.first else {
                throw TestFailure("another answer than the server's")
            }
        case .set: try await store.setCounter(Self.key, to: 1, life: CacheLife(nil))
        case .add, .cas: _ = try await store.increment(Self.key, by: 1, initial: 0, life: CacheLife(nil))
        // The step by `cas` finds no memory, so that the entry is deleted.
        case .delete: _ = try await store.remove([Self.key])
        }
    }

    /// A server on which every other command is served, and this one as `reply` says.
    func server(_ reply: @escaping @Sendable () -> ScriptedServer.Reply) throws -> ScriptedServer {
        // The line of data follows the command's.
        let awaited = Locked(Self?.none)
        return try ScriptedServer { line, _ in
            let data = awaited.withLock { awaited in
                defer { awaited = nil }
                return awaited
            }
            if let data {
                if data == self { return reply() }
                return .bytes(self == .delete ? "SERVER_ERROR out of memory storing object\r\n" : "STORED\r\n")
            }
            switch line.split(separator: " ").first.flatMap({ Self(rawValue: String($0)) }) {
            case .gets?: return self == .gets ? reply() : .bytes(self == .add ? "END\r\n" : Self.item)
            case .delete?: return reply()
            case let command?: awaited.withLock { $0 = command }
            case nil: break
            }
            return .silence
        }
    }

    static func store(_ server: ScriptedServer) throws -> MemcachedCacheStore {
        var configuration = MemcachedConfiguration()
        configuration.replyTimeout = .milliseconds(50)
        configuration.restAfterFailure = .zero
        configuration.writers = 1
        return try MemcachedCacheStore(server.url, configuration: configuration)
    }
}
