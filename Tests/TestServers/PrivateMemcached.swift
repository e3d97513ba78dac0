#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A Memcached server of a test's own, which may be stopped, killed and frozen.
///
/// Tests that use it are enabled by `.enabled(if: PrivateMemcached.isInstalled, "needs memcached")`.
///
/// `@unchecked Sendable`: it adds nothing to `PrivateServer`.
public final class PrivateMemcached: PrivateServer, @unchecked Sendable {
    public var url: String { "memcached://127.0.0.1:\(self.port)" }

    public static let isInstalled = PrivateServer.executable("memcached") != nil

    /// Starts a server and returns when it answers.
    ///
    /// - Parameter arguments: more of the server's options, such as `"-I", "2m"`.
    public static func running(_ arguments: String...) async throws -> PrivateMemcached {
        // It refuses to run as root.
        let user = getuid() == 0 ? ["-u", "nobody"] : []
        let server = try PrivateMemcached("memcached", ["-l", "127.0.0.1", "-p", "{port}", "-U", "0"] + user + arguments)
        try await server.start()
        return server
    }

    /// Sends a command on a connection of its own; what comes back at once, up to 4 KiB.
    public func ask(_ command: String) throws -> String {
        let connection = Self.makeSocket()
        defer { close(connection) }
        guard Self.connect(connection, to: self.port) else { throw Failure(message: "memcached does not accept connections") }
        let bytes = Array(command.utf8)
        guard write(connection, bytes, bytes.count) == bytes.count else { throw Failure(message: "memcached does not read") }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(connection, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }
}
