import Foundation
import GRDB
import NIOCore
import NIOPosix
import Programs
import ScaleTesting
import Testing

@testable import ProfileService

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How the program ends when it is told to.
@Suite struct ShutdownRules {
    /// How long the end of a part may take, whatever goes on.
    static let limit = Duration.seconds(10)

    @Test(arguments: [SIGTERM, SIGINT]) func `TERM and INT end every part with 0 within 10 s`(signal: Int32) async throws {
        for (arguments, sign) in [
            (["demo", "--listen", "127.0.0.1:0", "--seed", "1"], "Ctrl-C"),
            (["serve", "--listen", "127.0.0.1:0", "--seed", "1"], "serving"),
            (["worker", "--queue", "sqlite:jobs.sqlite"], "running jobs"),
            (["proxy", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"], "balancing"),
        ] {
            let running = try ProfileServiceProgram.Running.start(arguments)
            try await running.says(sign)
            let clock = ContinuousClock()
            let start = clock.now
            running.signal(signal)
            let outcome = try await running.outcome()
            #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
            #expect(start.duration(to: clock.now) < Self.limit)
        }
    }

    /// Filling a large database takes a while.
    @Test func `a signal that comes while the program is still preparing ends it with 0, and leaves no file behind`() async throws {
        let running = try ProfileServiceProgram.Running.start(["demo", "--listen", "127.0.0.1:0", "--seed", "200000"])
        try await eventually("it has begun") { running.scratchFiles > 0 }
        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.filesLeft == 0)
    }

    /// client:   signs up, its hash is computed, waits for the database ────────────────────────────── gets its answer
    /// operator:                                                        Ctrl-C, no more connections
    @Test(arguments: ["demo", "serve"], [SIGTERM, SIGINT])
    func `requests in flight are finished, then the program ends with 0`(command: String, signal: Int32) async throws {
        try await ScratchDirectory.with { scratch in
            let file = "\(scratch.path)/profiles.sqlite"
            let running = try ProfileServiceProgram.Running.start([
                command, "--listen", "127.0.0.1:0", "--seed", "0", "--database", file,
            ])
            let port = try await running.port()
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true  // one that stays open between two calls
            let lock = try DatabaseQueue(path: file, configuration: configuration)
            try await lock.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
            async let answer = HTTPConversation.request(
                "POST", "/users", #"{"email":"late@example.com","password":"long enough","name":"Late"}"#, port: port)
            try await eventually("the request is under way") {
                try await HTTPConversation.request("GET", "/metrics", port: port).text.contains("password_hashes_total 1\n")
            }
            running.signal(signal)
            try await eventually("nobody is let in any more") { await !Self.accepts(port) }
            try await lock.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
            #expect(try await answer.status == 201)
            let outcome = try await running.outcome()
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
    }

    /// A client that never sends the rest of its request cannot hold up the end.
    @Test(arguments: ["demo", "serve"]) func `a request that never comes to its end is given up within 10 s`(command: String) async throws {
        let running = try ProfileServiceProgram.Running.start([command, "--listen", "127.0.0.1:0", "--seed", "0"])
        let port = try await running.port()
        let (outcome, duration) = try await HTTPConversation.with(port: port) { speaker in
            try await speaker.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await speaker.answer()
            try await speaker.send(
                "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"email\":")
            let clock = ContinuousClock()
            let start = clock.now
            running.signal(SIGTERM)
            return (try await running.outcome(), start.duration(to: clock.now))
        }
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(duration < Self.limit)
    }

    /// reads:  a client that reads, or one that never does
    @Test(arguments: ["demo", "serve"], [true, false])
    func `open streams of the live feed end, and the program with 0 within 10 s`(command: String, reads: Bool) async throws {
        let running = try ProfileServiceProgram.Running.start([command, "--listen", "127.0.0.1:0", "--seed", "1"])
        let port = try await running.port()
        let silent = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: reads).connect(host: "127.0.0.1", port: port).get()
        try await silent.writeAndFlush(ByteBuffer(string: "GET /live HTTP/1.1\r\nHost: a\r\n\r\n")).get()
        let (outcome, duration) = try await HTTPConversation.with(port: port) { speaker in
            try await speaker.listen()
            let clock = ContinuousClock()
            let start = clock.now
            running.signal(SIGTERM)
            // With its last chunk, and not in the middle.
            #expect(try await speaker.event() == nil)
            return (try await running.outcome(), start.duration(to: clock.now))
        }
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(!outcome.errors.contains("given up"), "\(outcome.errors)")
        #expect(duration < Self.limit)
        try? await silent.close()
    }

    private static func accepts(_ port: Int) async -> Bool {
        guard
            let channel = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: port)
                .get()
        else { return false }
        try? await channel.close()
        return true
    }
}
