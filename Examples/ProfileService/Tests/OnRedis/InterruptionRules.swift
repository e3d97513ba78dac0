import Foundation
import PrivateServers
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
    @Test(arguments: [SIGTERM, SIGINT], [false, true])
    func `TERM and INT end a smoke and its processes within 10 s, and that is no success`(signal: Int32, isUnderWay: Bool) async throws {
        let server = try await PrivateRedis.running()
        let running = try ProfileServiceProgram.Running.start([
            "demo", "--smoke", "--redis", "redis://127.0.0.1:\(server.port)/0", "--seed", "3",
        ])
        try await eventually("all five parts run") { running.family.count == 6 }
        if isUnderWay { try await running.says("ok   all") }
        let clock = ContinuousClock()
        let start = clock.now
        running.signal(signal)
        let outcome = try await running.outcome()
        #expect(start.duration(to: clock.now) < .seconds(10))
        #expect(outcome.status == 1)
        #expect(outcome.errors.split(separator: "\n") == ["Error: interrupted before the scenario was over"])
        #expect(!outcome.output.contains("FAIL"))
        #expect(outcome.filesLeft == 0)
        #expect(running.family.isEmpty)
    }

    @Test(arguments: [SIGTERM, SIGINT]) func `a smoke in one process ends as cleanly`(signal: Int32) async throws {
        let running = try ProfileServiceProgram.Running.start(["demo", "--smoke", "--seed", "3"])
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

    @Test func `a report that no step has reached is no success`() {
        #expect(!SmokeReport().ok)
    }
}
