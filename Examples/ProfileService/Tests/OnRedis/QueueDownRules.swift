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

/// What `serve` answers while RabbitMQ, or the Redis with the results, is down.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct QueueDownRules {
    private static let rabbitMQ = ProcessInfo.processInfo.environment["SCALEKIT_TEST_AMQP"]

    @Test(.enabled(if: rabbitMQ != nil, "needs RabbitMQ: make services-up"), arguments: ["serve", "worker"])
    func `credentials that RabbitMQ refuses are one line that names the flag`(command: String) async throws {
        let server = try await PrivateRedis.running()
        let outcome = try await ProfileServiceProgram.run(
            [command, "--store-timeout", "30", "--results", "redis://127.0.0.1:\(server.port)/0"]
                + (command == "serve" ? ["--listen", "127.0.0.1:0", "--seed", "0"] : [])
                + ["--queue", try #require(Self.rabbitMQ).replacing("guest:guest@", with: "guest:sesame@")])
        #expect(outcome.status == 1)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains("--queue: RabbitMQ takes no connection"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("sesame"), "\(outcome.errors)")
    }

    @Test func `a notification and a job are answered 503, readyz says why, and all else is served`() async throws {
        let server = try await PrivateRedis.running()
        let running = try ProfileServiceProgram.Running.start([
            "serve", "--listen", "127.0.0.1:0", "--seed", "3", "--insecure-cookies", "--sessions", "redis://127.0.0.1:\(server.port)/0",
            "--queue", "amqp://guest:sesame@127.0.0.1:1/",
        ])
        let port = try await running.port()
        let login = try await HTTPConversation.request(
            "POST", "/login", #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#, port: port)
        let notification = try await HTTPConversation.request("POST", "/profiles/1/notifications", port: port, cookie: login.cookie)
        #expect(notification.status == 503)
        #expect(notification.text == #"{"error":"jobs cannot be reached now, try again soon"}"#)
        #expect(try await HTTPConversation.request("GET", "/jobs/unknown", port: port).status == 404)
        let ready = try await HTTPConversation.request("GET", "/readyz", port: port)
        #expect(ready.status == 503)
        #expect(try ready.json() == ["cache": "up", "database": "up", "queue": "down", "sessions": "up"])
        #expect(try await HTTPConversation.request("GET", "/profiles", port: port).status == 200)

        try await server.stop()
        #expect(try await HTTPConversation.request("GET", "/jobs/unknown", port: port).status == 503)

        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("--queue: the connection to RabbitMQ was lost"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("sesame"))
    }
}
