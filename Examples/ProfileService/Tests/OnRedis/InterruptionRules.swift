import Foundation
import Logging
import PrivateServers
import Programs
import ScaleTesting
import Testing

@testable import ProfileService

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What becomes of the scripted scenario when the process is told to end.
@Suite(
    .enabled(if: PrivateRedis.isInstalled, "needs redis-server"),
    .enabled(if: FileManager.default.fileExists(atPath: "/proc/self/environ"), "needs /proc"))
struct InterruptionRules {
    /// So many that the list alone keeps the scenario busy until it is interrupted, however late that is.
    private static let seed = "30000"

    @Test(arguments: [SIGTERM, SIGINT], [false, true])
    func `TERM and INT end a smoke and its processes within 10 s, and that is no success`(signal: Int32, isUnderWay: Bool) async throws {
        let server = try await PrivateRedis.running()
        let running = try ProfileServiceProgram.Running.start([
            "demo", "--smoke", "--redis", "redis://127.0.0.1:\(server.port)/0", "--seed", Self.seed,
        ])
        try await eventually(within: .seconds(60), "all five parts run") { running.family.count == 6 }
        if isUnderWay { try await running.says("ok   all") }
        let clock = ContinuousClock()
        let start = clock.now
        running.signal(signal)
        let outcome = try await running.outcome()
        #expect(start.duration(to: clock.now) < ShutdownRules.limit)
        #expect(outcome.status == 1)
        #expect(outcome.errors.split(separator: "\n") == ["Error: interrupted before the scenario was over"])
        #expect(!outcome.output.contains("FAIL"))
        #expect(outcome.filesLeft == 0)
        #expect(running.family.isEmpty)
    }

    @Test(arguments: [SIGTERM, SIGINT]) func `a smoke in one process ends as cleanly`(signal: Int32) async throws {
        let running = try ProfileServiceProgram.Running.start(["demo", "--smoke", "--seed", Self.seed])
        try await running.says("ok   all")
        running.signal(signal)
        let outcome = try await running.outcome()
        #expect(outcome.status == 1)
        #expect(
            outcome.errors.split(separator: "\n").filter { !$0.contains(" warning ") } == [
                "Error: interrupted before the scenario was over"
            ])
        #expect(!outcome.output.contains("FAIL"))
        #expect(outcome.filesLeft == 0)
    }

    /// client:   half a request, straight at every part ────────────────────────── given up
    /// operator:                                     interrupts ─── not again ───── it has ended
    @Test func `a request that never comes to its end holds up no smoke in one process that is interrupted`() async throws {
        let ready = Announcement<[Int]>()
        let smoke = Task {
            try await self.inOneProcess { stage in
                ready.make(Self.ports(of: stage))
                // In the place of the scenario, which an interruption cancels.
                try await Announcement<Void>().value()
            }
        }
        let clock = ContinuousClock()
        let (interrupted, ended) = try await Self.stalled(at: try await ready.value()[...]) {
            let interrupted = clock.now
            smoke.cancel()
            _ = await smoke.result
            return (interrupted, clock.now)
        }
        #expect(interrupted.duration(to: ended) < ShutdownRules.limit)
        await #expect(throws: CancellationError.self) { try await smoke.value }
    }

    @Test func `a request that never comes to its end holds up no smoke that is over`() async throws {
        let clock = ContinuousClock()
        let (hadStopped, wasOver) = try await self.inOneProcess { stage in
            try await Self.stalled(at: Self.ports(of: stage)[...]) {
                // As in the last step of the scenario.
                let start = clock.now
                try await stage.stopFirstInstance()
                return (start.duration(to: clock.now), clock.now)
            }
        }
        #expect(hadStopped < ShutdownRules.limit)
        #expect(wasOver.duration(to: clock.now) < ShutdownRules.limit)
    }

    private func inOneProcess<Result: Sendable>(_ scenario: @escaping @Sendable (InProcessStage) async throws -> Result) async throws
        -> Result
    {
        var settings = DemoSettings()
        settings.listen = ListenAddress(host: "127.0.0.1", port: 0)
        settings.seed = 1
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        return try await InProcessStage.with(settings, metrics: PrometheusRegistry(), logger: logger, scenario)
    }

    /// Of two instances, one over an empty database, and the proxy.
    private static func ports(of stage: InProcessStage) -> [Int] {
        (stage.instances + [stage.empty, stage.proxy]).compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }
    }

    /// Runs `body` while half a request lies at each of the ports.
    private static func stalled<Result: Sendable>(
        at ports: ArraySlice<Int>, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        guard let port = ports.first else { return try await body() }
        return try await HTTPConversation.with(port: port) { speaker in
            try await speaker.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await speaker.answer()
            try await speaker.send(
                "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"email\":")
            return try await Self.stalled(at: ports.dropFirst(), body)
        }
    }

    @Test func `a report that no step has reached is no success`() {
        #expect(!SmokeReport().ok)
    }
}
