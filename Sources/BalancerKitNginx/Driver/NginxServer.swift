public import BalancerKitProxy
import Foundation
public import ScaleCore
public import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A real nginx that does what a ``ReverseProxy`` would do with the same settings.
///
/// It is a child process with a directory of its own for its configuration, process id, logs and temporary files. It is followed: when
/// it ends by itself, ``run()`` throws with what it said last. A graceful shutdown lets requests in flight finish (`SIGQUIT`), for as
/// long as ``ProxyTimeouts/shutdown`` allows; cancelling the task ends it at once.
///
/// ```swift
/// let server = try NginxServer(proxy, directory: "/run/myapp/nginx")
/// try await server.run()
/// ```
public final class NginxServer: Service, Sendable {
    private struct State {
        var proxy: ProxyConfiguration
        var process: ChildProcess?
        var hasRun = false
        var hasEnded = false
    }

    private let executable: String
    private let directory: String
    private let patience: Duration
    private let time: TimeSource
    private let state: Locked<State>

    /// Makes a server; nothing is written or started before ``run()``.
    ///
    /// - Parameters:
    ///   - directory: where it keeps its files; made if it is not there, and used by nobody else.
    ///   - executable: nginx, 1.22 or later.
    ///   - patience: how long a start or a reload may take.
    /// - Throws: ``NginxError`` with the code `notRenderable`.
    public init(
        _ proxy: ProxyConfiguration, directory: String, executable: String = "/usr/sbin/nginx", patience: Duration = .seconds(10),
        time: TimeSource = .system
    ) throws(NginxError) {
        _ = try NginxFile(proxy)
        self.executable = executable
        self.directory = directory
        self.patience = patience
        self.time = time
        self.state = Locked(State(proxy: proxy))
    }

    /// Runs nginx until the graceful shutdown or the task's cancellation. A server runs once.
    ///
    /// - Throws: ``NginxError`` with the code `rejected` when nginx refuses the file, `notStarted` when it cannot be run, cannot listen, or
    ///   ends by itself.
    public func run() async throws {
        let proxy = try self.begin()
        defer { self.state.withLock { $0.hasEnded = true } }
        try await self.test(proxy)
        try self.write(proxy, to: "nginx.conf")
        let process = try ChildProcess(
            self.executable, ["-p", self.directory, "-c", self.path("nginx.conf"), "-g", "daemon off;"], errors: self.path("stderr.log"))
        self.state.withLock { $0.process = process }
        let isEnding = Locked(false)
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                _ = await process.status()
            } onGracefulShutdown: {
                isEnding.withLock { $0 = true }
                process.signal(SIGQUIT)
                self.endLater(process)
            }
        } onCancel: {
            isEnding.withLock { $0 = true }
            process.signal(SIGTERM)
        }
        guard !isEnding.withLock({ $0 }) else { return }
        throw NginxError(code: .notStarted, message: "nginx has ended: \(self.lastWords("stderr.log") ?? "it did not say why")")
    }

    private func begin() throws(NginxError) -> ProxyConfiguration {
        let proxy = self.state.withLock { state -> ProxyConfiguration? in
            defer { state.hasRun = true }
            return state.hasRun ? nil : state.proxy
        }
        guard let proxy else { throw NginxError(code: .notStarted, message: "a server runs only once") }
        return proxy
    }

    /// Ends what a graceful shutdown leaves behind. nginx itself cuts its workers' connections by then.
    private func endLater(_ process: ChildProcess) {
        let limit = self.state.withLock { $0.proxy.timeouts.shutdown } + .seconds(2)
        Task {
            try? await self.time.sleep(for: limit)
            process.signal(SIGTERM)
        }
    }

    /// Returns when nginx listens.
    ///
    /// - Throws: ``NginxError`` with the code `notStarted` when it does not within the patience, or has ended.
    public func started() async throws {
        try await self.wait("nginx does not listen") {
            guard let process = self.state.withLock({ $0.process }) else { return false }
            return self.contents("nginx.pid").flatMap { Int32($0.filter(\.isNumber)) } == process.processID
        }
    }

    /// Gives nginx other settings. Connections are kept; the old workers finish what they do.
    ///
    /// The file is tried first (`nginx -t`) and put in place only when nginx accepts it. Returns when nginx works by it.
    ///
    /// - Throws: ``NginxError``; the old settings then go on.
    public func reload(_ proxy: ProxyConfiguration) async throws {
        try await self.started()
        guard let process = self.state.withLock({ $0.process }) else { return }
        try await self.test(proxy)
        try self.write(proxy, to: "next.conf")
        guard rename(self.path("next.conf"), self.path("nginx.conf")) == 0 else {
            throw NginxError(code: .notStarted, message: "cannot put the file in place: \(self.path("nginx.conf"))")
        }
        let log = MasterLog(path: self.path("error.log"), processID: process.processID)
        let before = log.end
        process.signal(SIGHUP)
        try await self.wait("nginx has not reloaded") {
            let news = log.lines(from: before)
            if let line = Self.complaint(in: news) { throw NginxError(code: .rejected, message: line) }
            return news.contains { $0.contains(": start worker process ") }
        }
        self.state.withLock { $0.proxy = proxy }
    }

    // MARK: Files

    private func path(_ name: String) -> String { "\(self.directory)/\(name)" }

    private func write(_ proxy: ProxyConfiguration, to name: String, pid: String = "nginx.pid") throws(NginxError) {
        var places = NginxFile.Places()
        places.pid = self.path(pid)
        places.errorLog = self.path("error.log")
        places.temporary = self.directory
        let text = try NginxFile(proxy, places: places).text
        do {
            try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: self.path(name)))
        } catch {
            throw NginxError(code: .unreadable, message: "cannot write \"\(self.path(name))\"")
        }
    }

    private func contents(_ name: String) -> String? {
        (try? ConfigurationFile.read(self.path(name))).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: What nginx says

    /// `nginx -t`. It would overwrite the process id of the one that runs, so that it gets a place of its own.
    private func test(_ proxy: ProxyConfiguration) async throws(NginxError) {
        let trial = self.path("test.conf")
        try self.write(proxy, to: "test.conf", pid: "test.pid")
        let process = try ChildProcess(self.executable, ["-t", "-q", "-p", self.directory, "-c", trial], errors: self.path("test.log"))
        guard await process.status() != 0 else { return }
        throw NginxError(code: .rejected, message: self.lastWords("test.log") ?? "nginx refuses the file and does not say why")
    }

    private func lastWords(_ name: String) -> String? {
        guard let text = self.contents(name) else { return nil }
        return Self.complaint(in: text.split(separator: "\n")) ?? text.split(separator: "\n").last.map(String.init)
    }

    /// The last message of level emerg or worse, without what stands before it.
    private static func complaint(in lines: [Substring]) -> String? {
        let lines = lines.filter { $0.contains("[emerg]") || $0.contains("[alert]") || $0.contains("[crit]") }
        // The last line says only that there were others.
        guard let line = lines.last(where: { !$0.contains("still could not bind()") }) ?? lines.last else { return nil }
        guard let level = line.range(of: "] ") else { return String(line) }
        let message = line[level.upperBound...]
        // A log begins its messages with process and thread: `17#17: `.
        let afterNumbers = message.drop { $0.isNumber || $0 == "#" }
        return String(message.first?.isNumber == true && afterNumbers.hasPrefix(": ") ? afterNumbers.dropFirst(2) : message)
    }

    private func wait(_ what: String, until isTrue: () throws -> Bool) async throws {
        let deadline = self.time.now().advanced(by: self.patience)
        while try !isTrue() {
            let (process, hasEnded) = self.state.withLock { ($0.process, $0.hasEnded) }
            if hasEnded || process?.isRunning == false {
                throw NginxError(code: .notStarted, message: "nginx has ended: \(self.lastWords("stderr.log") ?? "it did not say why")")
            }
            guard self.time.now() < deadline else { throw NginxError(code: .notStarted, message: what) }
            try await self.time.sleep(for: .milliseconds(10))
        }
    }
}
