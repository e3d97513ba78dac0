import Foundation
import NIOCore
import NIOPosix
import ScaleTesting
import Testing

@testable import ProfileService

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How the program starts, refuses to start, and ends.
@Suite struct StartRules {
    /// Each bad start with what its one line must name.
    static let badStarts: [(arguments: [String], names: String)] = [
        (["serve", "--listen", "10.255.255.1:8080"], "--listen 10.255.255.1:8080"),
        (["serve", "--listen", "127.0.0.1:0", "--database", "/nonexistent/directory/file.sqlite"], "/nonexistent/directory/file.sqlite"),
        (
            ["serve", "--listen", "127.0.0.1:0", "--queue", "sqlite:/nonexistent/directory/jobs.sqlite"],
            "--queue sqlite:/nonexistent/directory/jobs.sqlite"
        ),
        (["serve", "--listen", "0.0.0.0:0", "--insecure-cookies"], "--insecure-cookies"),
        (["serve", "--listen", "127.0.0.1:0", "--cache", "redis://127.0.0.1:notaport"], "--cache"),
        (["serve", "--listen", "127.0.0.1:0", "--seed=-1"], "--seed"),
        (["worker"], "--queue"),
        (["worker", "--queue", "memory"], "--queue"),
        (["worker", "--queue", "sqlite:jobs.sqlite", "--concurrency", "0"], "--concurrency"),
        (["proxy", "--listen", "127.0.0.1:0"], "--upstream"),
        (["demo", "--listen", "0.0.0.0:0"], "--insecure-cookies"),
        (["demo", "--database", "/nonexistent/directory/file.sqlite", "--listen", "127.0.0.1:0"], "/nonexistent/directory/file.sqlite"),
    ]

    @Test(arguments: badStarts.indices) func `a bad start is one line that names the culprit, and a code above 0`(index: Int) async throws {
        let (arguments, name) = Self.badStarts[index]
        let outcome = try await ProfileServiceProgram.run(arguments)
        #expect(outcome.status > 0)
        let lines = outcome.errors.split(separator: "\n")
        #expect(lines.count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains(name), "\(outcome.errors)")
    }

    @Test func `an unknown flag or a bad value is named, and the usage may follow`() async throws {
        for (arguments, name) in [
            (["serve", "--prot", "80"], "--prot"), (["serve", "--listen", "nowhere"], "--listen"),
            (["serve", "--cache", "disk"], "--cache"),
            (["demo", "--redis", "redis://127.0.0.1"], "--redis"), (["worker", "--queue", "kafka"], "--queue"), (["start"], "start"),
        ] {
            let outcome = try await ProfileServiceProgram.run(arguments)
            #expect(outcome.status > 0, "\(arguments)")
            #expect(outcome.errors.split(separator: "\n").first?.contains(name) == true, "\(outcome.errors)")
        }
    }

    @Test(arguments: ["serve", "demo", "proxy"]) func `a port in use is named`(command: String) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        let address = "127.0.0.1:\(channel.localAddress?.port ?? 0)"
        let arguments = [command, "--listen", address] + (command == "proxy" ? ["--upstream", "127.0.0.1:1"] : [])
        let outcome = try await ProfileServiceProgram.run(arguments)
        try await channel.close()
        #expect(outcome.status > 0)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains("--listen \(address)"), "\(outcome.errors)")
    }

    @Test func `a variable that cannot be read is named`() async throws {
        let outcome = try await ProfileServiceProgram.run(["serve"], environment: ["PROFILE_SERVICE_LISTEN": "nowhere"])
        #expect(outcome.status > 0)
        #expect(outcome.errors.contains("PROFILE_SERVICE_LISTEN"))
    }

    @Test(arguments: ["", "demo", "serve", "worker", "proxy"]) func `help is there throughout`(command: String) async throws {
        let outcome = try await ProfileServiceProgram.run([command, "--help"].filter { !$0.isEmpty })
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("USAGE: profile-service"))
    }

    @Test(arguments: [SIGTERM, SIGINT]) func `TERM and INT end demo and serve with 0 within 10 s`(signal: Int32) async throws {
        for (arguments, sign) in [
            (["demo", "--listen", "127.0.0.1:0", "--seed", "1"], "Ctrl-C"),
            (["serve", "--listen", "127.0.0.1:0", "--seed", "1"], "serving"),
        ] {
            let running = try ProfileServiceProgram.Running.start(arguments)
            try await eventually(within: .seconds(30)) { (running.output + running.errors).contains(sign) }
            let clock = ContinuousClock()
            let start = clock.now
            running.signal(signal)
            let outcome = try await running.outcome()
            #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
            #expect(start.duration(to: clock.now) < .seconds(10))
        }
    }

    @Test func `serve warns of each store in memory that it serves one instance`() async throws {
        let running = try ProfileServiceProgram.Running.start(["serve", "--listen", "127.0.0.1:0", "--seed", "0"])
        try await eventually(within: .seconds(30)) { running.errors.contains("serving") }
        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        for flag in ["--cache", "--sessions", "--queue"] {
            #expect(outcome.errors.contains("\(flag) memory serves this one instance only"))
        }
    }
}
