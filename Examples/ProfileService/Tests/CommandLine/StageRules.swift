import Foundation
import Logging
import ScaleTesting
import Testing

@testable import ProfileService

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What the scripted scenario is played on comes up as a whole, or is taken down as a whole.
@Suite struct StageRules {
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    /// The port is free when the command looks, and taken when the proxy comes to it.
    @Test func `a part that fails before all of them listen ends the stage with its error`() async throws {
        try await EchoServer.with { squatter in
            var settings = DemoSettings()
            settings.seed = 1
            settings.listen = ListenAddress(host: "127.0.0.1", port: squatter.port)
            let played = Announcement<Void>()
            let error = await #expect(throws: (any Error).self) {
                try await InProcessStage.with(settings, metrics: PrometheusRegistry(), logger: self.logger) { _ in played.make(()) }
            }
            #expect(!(error is CancellationError))
            #expect(!(error is SmokeFailure), "the proxy's own error says more")
            #expect(played.known == nil)
        }
    }

    @Test func `when a later process cannot be started, the earlier ones are ended`() async throws {
        try await ScratchDirectory.with { scratch in
            let started = Announcement<[ChildProcess]>()
            await #expect(throws: SmokeFailure.self) {
                try await ProcessGroup.with(in: scratch, endingWithin: .zero) { group in
                    for name in ["first", "second"] {
                        group.add(try ChildProcess.start(name, ["600"], of: Self.sleep, in: scratch))
                    }
                    started.make(try ["first", "second"].map(group.process))
                    group.add(try ChildProcess.start("third", [], of: URL(fileURLWithPath: "/nonexistent"), in: scratch))
                }
            }
            for process in try await started.value() { #expect(process.hasEnded) }
        }
    }

    @Test func `a process whose end is known is signalled no more, and its status stays known`() async throws {
        try await ScratchDirectory.with { scratch in
            let process = try ChildProcess.start("sleeper", ["600"], of: Self.sleep, in: scratch)
            await process.end(within: .zero)
            #expect(process.hasEnded)
            let status = try await process.stop()
            #expect(status == SIGTERM || status == SIGKILL)
            #expect(try await process.stop() == status)
        }
    }

    private static let sleep = URL(fileURLWithPath: "/bin/sleep")
}
