import Foundation
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

/// How `serve` starts on a Redis that refuses it, or that is not there yet.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct RedisStartRules {
    /// Neither the right password nor a wrong one is ever written.
    private static let (right, wrong) = ("the-right-secret", "a-wrong-secret")

    @Test(arguments: ["--cache", "--sessions"], [":\(wrong)@", "somebody:\(wrong)@", ""])
    func `credentials that Redis refuses are one line that names the flag and the server`(flag: String, user: String) async throws {
        let server = try await PrivateRedis.running("--requirepass", Self.right)
        let outcome = try await ProfileServiceProgram.run([
            "serve", "--listen", "127.0.0.1:0", "--seed", "0", flag, "redis://\(user)127.0.0.1:\(server.port)/0", "--store-timeout", "30",
            "--log-level", "trace",
        ])
        #expect(outcome.status == 1)
        let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
        #expect(lines.count == 1, "\(outcome.errors)")
        #expect(lines.first?.contains("\(flag): Redis at 127.0.0.1:\(server.port) refuses the credentials") == true, "\(outcome.errors)")
        #expect(!outcome.errors.contains(Self.wrong))
    }

    @Test func `at the usual log level it is the only line`() async throws {
        let server = try await PrivateRedis.running("--requirepass", Self.right)
        let outcome = try await ProfileServiceProgram.run([
            "serve", "--listen", "127.0.0.1:0", "--seed", "0", "--store-timeout", "30", "--cache",
            "redis://:\(Self.wrong)@127.0.0.1:\(server.port)/0",
        ])
        #expect(outcome.status == 1)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    }

    @Test func `a database that Redis does not have is one line as well`() async throws {
        let server = try await PrivateRedis.running()
        let outcome = try await ProfileServiceProgram.run([
            "serve", "--listen", "127.0.0.1:0", "--seed", "0", "--store-timeout", "30", "--sessions",
            "redis://127.0.0.1:\(server.port)/99",
        ])
        #expect(outcome.status == 1)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains("--sessions: Redis at 127.0.0.1:\(server.port) refuses the database"), "\(outcome.errors)")
    }

    @Test func `a server that is down at start is waited for, and readyz shows it`() async throws {
        let server = try PrivateRedis.stopped("--requirepass", Self.right)
        let url = "redis://:\(Self.right)@127.0.0.1:\(server.port)/0"
        let running = try ProfileServiceProgram.Running.start([
            "serve", "--listen", "127.0.0.1:0", "--seed", "2", "--cache", url, "--sessions", url, "--log-level", "trace",
        ])
        let port = try await running.port()
        let down = try await HTTPConversation.request("GET", "/readyz", port: port)
        #expect(down.status == 503)
        #expect(try down.json() == ["database": "up", "cache": "down", "sessions": "down", "queue": "up"] as NSDictionary)
        #expect(try await HTTPConversation.request("GET", "/profiles", port: port).status == 200)

        try await server.start()
        try await eventually("everything is ready") { try await HTTPConversation.request("GET", "/readyz", port: port).status == 200 }
        let login = #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#
        #expect(try await HTTPConversation.request("POST", "/login", login, port: port).status == 200)
        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("--cache: Redis at 127.0.0.1:\(server.port) cannot be reached yet"))
        #expect(!outcome.errors.contains(Self.right))
    }
}
