import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A server of a test's own, which may be stopped, killed and frozen: see ``PrivateRedis``, ``PrivateMemcached`` and ``PrivateRabbitMQ``.
///
/// It listens on a free loopback port, keeps its files in a scratch directory, and ends with this object.
///
/// `@unchecked Sendable`: `process` is only touched under `lock`; the rest never changes.
public class PrivateServer: @unchecked Sendable {
    private let lock = NSLock()
    private var process: ChildProcess?
    private let name: String
    private let arguments: [String]
    let directory: URL

    /// The port on 127.0.0.1. It stays the same over ``start()``.
    public let port: Int

    static func executable(_ name: String) -> URL? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/usr/local/bin")
            .split(separator: ":")
            .map { URL(fileURLWithPath: String($0)).appendingPathComponent(name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    /// A server that is not started yet; its port is reserved for it by luck alone.
    ///
    /// - Parameter arguments: the server's options; `{port}` and `{directory}` in them stand for these.
    init(_ name: String, _ arguments: [String]) throws {
        self.name = name
        self.port = try Self.freePort()
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-\(name)-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        self.directory = directory
        self.arguments = arguments
    }

    /// How long a start or an end may take.
    var patience: Duration { .seconds(90) }

    func filled(_ argument: String) -> String {
        argument.replacingOccurrences(of: "{port}", with: "\(self.port)")
            .replacingOccurrences(of: "{directory}", with: self.directory.path)
    }

    deinit {
        self.process = nil
        try? FileManager.default.removeItem(at: self.directory)
    }

    /// Starts the server (again) on its port; returns when it accepts connections.
    public func start() async throws {
        guard let executable = Self.executable(self.name) else { throw Failure(message: "\(self.name) is not installed") }
        let process = try ChildProcess(executable, self.arguments.map { self.filled($0) })
        self.lock.withLock { self.process = process }
        try await ChildProcess.waitUntil("\(self.name) accepts connections", within: self.patience, giveUp: { !process.isRunning }) {
            Self.accepts(port: self.port)
        }
    }

    /// `SIGTERM`: an orderly end. Returns when the process is gone.
    public func stop() async throws {
        try await self.end(SIGTERM)
    }

    /// `SIGKILL`: an end without a word. Returns when the process is gone.
    public func kill() async throws {
        try await self.end(SIGKILL)
    }

    /// `SIGKILL`, then ``start()``.
    public func killAndRestart() async throws {
        try await self.kill()
        try await self.start()
    }

    /// `SIGSTOP`: the server's sockets stay open and nothing is answered.
    public func freeze() {
        self.send(SIGSTOP)
    }

    /// `SIGCONT`.
    public func thaw() {
        self.send(SIGCONT)
    }

    private func end(_ signal: Int32) async throws {
        guard let process = self.lock.withLock({ self.process }) else { return }
        try await process.end(signal, within: self.patience)
        self.lock.withLock { self.process = nil }
    }

    private func send(_ signal: Int32) {
        self.lock.withLock { self.process }?.send(signal)
    }

    /// What could not be started or ended.
    public typealias Failure = ChildProcess.Failure
}

// MARK: - Ports

extension PrivateServer {
    /// Below those that Linux gives to connections of its own choice. One of those may be taken by a client meanwhile, and whoever tries it again
    /// and again until somebody listens is in the end connected to himself.
    private static let ports = 10_000..<20_000

    nonisolated(unsafe) private static var given: Set<Int> = []
    private static let givenLock = NSLock()

    /// A port on which nobody listened a moment ago, and that no other call of this process has given.
    public static func freePort() throws -> Int {
        for _ in 0..<1_000 {
            let port = Int.random(in: Self.ports)
            if Self.isFree(port), Self.givenLock.withLock({ Self.given.insert(port).inserted }) { return port }
        }
        throw Failure(message: "no free port on 127.0.0.1")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = Self.makeSocket()
        defer { close(descriptor) }
        var address = Self.loopback(port: UInt16(port))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func accepts(port: Int) -> Bool {
        let descriptor = Self.makeSocket()
        defer { close(descriptor) }
        return Self.connect(descriptor, to: port)
    }

    static func connect(_ descriptor: Int32, to port: Int) -> Bool {
        var address = Self.loopback(port: UInt16(port))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                systemConnect(descriptor, raw, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    static func makeSocket() -> Int32 {
        #if canImport(Glibc)
        socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        socket(AF_INET, SOCK_STREAM, 0)
        #endif
    }

    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

/// `connect` of the system, which the class' own would hide.
private func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    connect(descriptor, address, length)
}
