/// A Redis server of a test's own, which may be stopped, killed, frozen and flushed. It keeps nothing over a start.
///
/// Tests that use it are enabled by `.enabled(if: PrivateRedis.isInstalled, "needs redis-server")`.
///
/// `@unchecked Sendable`: it adds nothing to `PrivateServer`.
public final class PrivateRedis: PrivateServer, @unchecked Sendable {
    public var url: String { "redis://127.0.0.1:\(self.port)/0" }

    public static let isInstalled = PrivateServer.executable("redis-server") != nil

    /// Starts a server and returns when it answers.
    ///
    /// - Parameter arguments: more of the server's options, such as `"--requirepass", "secret"`; they come last and so override. `{port}` in
    ///   them stands for the port.
    public static func running(_ arguments: String...) async throws -> PrivateRedis {
        try await Self.running(arguments)
    }

    public static func running(_ arguments: [String]) async throws -> PrivateRedis {
        let server = try PrivateRedis(arguments)
        try await server.start()
        return server
    }

    /// A server that is not started yet; its port is reserved for it by luck alone.
    public static func stopped(_ arguments: String...) throws -> PrivateRedis {
        try PrivateRedis(arguments)
    }

    private init(_ arguments: [String]) throws {
        try super.init(
            "redis-server",
            ["--port", "{port}", "--bind", "127.0.0.1", "--dir", "{directory}", "--save", "", "--appendonly", "no"]
                + ["--daemonize", "no", "--logfile", "{directory}/log"] + arguments)
    }
}
