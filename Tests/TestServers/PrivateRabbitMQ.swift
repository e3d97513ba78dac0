import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A RabbitMQ node of a test's own, which may be stopped, killed and frozen, and made to raise its alarms. What is durable outlives a start.
///
/// Tests that use it are enabled by `.enabled(if: PrivateRabbitMQ.isInstalled, "needs rabbitmq-server")`. A node takes some seconds to start.
///
/// `@unchecked Sendable`: what it adds to `PrivateServer` never changes.
public final class PrivateRabbitMQ: PrivateServer, @unchecked Sendable {
    /// Erlang's port mapper, of this node alone.
    private let mapper: PortMapper
    /// What runs a program as RabbitMQ's own user and in the node's environment.
    private let environment: [String]

    /// `amqp://guest:guest@127.0.0.1:PORT/`.
    public var url: String { "amqp://guest:guest@127.0.0.1:\(self.port)/" }

    private static let programs = "/usr/lib/rabbitmq/bin"

    public static let isInstalled = FileManager.default.isExecutableFile(atPath: "\(programs)/rabbitmq-server")

    /// Starts a node and returns when it answers.
    public static func running() async throws -> PrivateRabbitMQ {
        let node = try PrivateRabbitMQ(try PortMapper(runner: Self.runner()))
        try await Self.give(node.directory, to: "rabbitmq")
        try await node.mapper.start()
        try await node.start()
        return node
    }

    private init(_ mapper: PortMapper) throws {
        self.mapper = mapper
        let settings = [
            "HOME={directory}", "ERL_EPMD_PORT=\(mapper.port)", "ERL_EPMD_ADDRESS=127.0.0.1", "RABBITMQ_NODENAME=private-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT={port}", "RABBITMQ_DIST_PORT=\(try Self.freePort())",
            "RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_CONFIG_FILE={directory}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE={directory}/advanced.config", "RABBITMQ_ENABLED_PLUGINS_FILE={directory}/plugins",
            "RABBITMQ_MNESIA_BASE={directory}/mnesia", "RABBITMQ_LOG_BASE={directory}/log", "RABBITMQ_PID_FILE={directory}/node.pid",
        ]
        self.environment = Self.runner() + settings
        // With NOTIFY_SOCKET the script becomes the node, so that signals reach it.
        let command =
            self.environment + ["NOTIFY_SOCKET=/dev/null", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=\(Self.patient)"]
            + ["\(Self.programs)/rabbitmq-server"]
        try super.init(command[0], Array(command.dropFirst()))
        try self.write("", to: "rabbitmq.conf")
        try self.write("[{kernel, [{inet_dist_use_interface, {127, 0, 0, 1}}]}].", to: "advanced.config")
        try self.write("[].", to: "plugins")
        try self.write("private-\(self.port)", to: ".erlang.cookie")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o400], ofItemAtPath: self.directory.appendingPathComponent(".erlang.cookie").path)
    }

    override var patience: Duration { .seconds(240) }

    /// Erlang's nodes shake hands within 7 seconds by default, or are unreachable for each other (`rabbitmqctl` ends with 69 then), and a
    /// busy machine may need longer. In seconds, and not more than 120.
    private static let patient = "-kernel net_setuptime 120"

    private func write(_ text: String, to file: String) throws {
        try Data((text + "\n").utf8).write(to: self.directory.appendingPathComponent(file))
    }

    /// A clean environment, and RabbitMQ's own user where we are root.
    private static func runner() -> [String] {
        let user = getuid() == 0 ? ["setpriv", "--reuid", "rabbitmq", "--regid", "rabbitmq", "--init-groups"] : []
        return user + ["env", "-i", "PATH=\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")", "LANG=C.UTF-8"]
    }

    private static func give(_ directory: URL, to user: String) async throws {
        guard getuid() == 0 else { return }
        try await Self.run(["chown", "-R", "\(user):\(user)", directory.path])
    }

    /// Runs a program to its end. What it says is in the error, if it fails.
    private static func run(_ command: [String]) async throws {
        guard let name = command.first, let executable = Self.executable(name) else { throw Failure(message: "no program to run") }
        let process = try ChildProcess(executable, Array(command.dropFirst()), talks: true)
        do {
            try await process.succeed(within: .seconds(240))
        } catch {
            throw Failure(message: "\(error), and said: \(process.output)")
        }
    }

    // MARK: Alarms

    /// Raises the alarm that a node raises when it is low on memory: it takes nothing more from connections that publish.
    public func raiseAlarm() async throws {
        // It is told to those whom it concerns before the question is answered.
        try await self.evaluate("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}), rabbit_alarm:get_alarms().")
    }

    public func clearAlarm() async throws {
        try await self.evaluate("rabbit_alarm:clear_alarm({resource_limit, memory, node()}), rabbit_alarm:get_alarms().")
    }

    private func evaluate(_ expression: String) async throws {
        let environment = self.environment.map { self.filled($0) } + ["RABBITMQ_CTL_ERL_ARGS=\(Self.patient)"]
        try await Self.run(
            environment + ["\(Self.programs)/rabbitmqctl", "-n", "private-\(self.port)@localhost", "--quiet", "eval", expression])
    }

    /// `@unchecked Sendable`: it adds nothing to `PrivateServer`.
    private final class PortMapper: PrivateServer, @unchecked Sendable {
        init(runner: [String]) throws {
            try super.init(runner[0], Array(runner.dropFirst()) + ["epmd", "-address", "127.0.0.1", "-port", "{port}"])
        }
    }
}
