import Foundation
import PrivateServers
import Programs
import ScaleTesting
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What `serve` and `worker` say of real servers with settings that it cannot approve of, before they go on.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct AdviceOnRedisRules {
    /// Options of the server, the flags that name it, what one warning says, and whether there is one.
    static let servers: [(options: [String], flags: [String], advice: [String])] = [
        ([], ["--sessions"], ["--sessions: Redis at * writes nothing to disk"]),
        (["--appendonly", "yes"], ["--sessions"], []),
        (["--save", "3600 1"], ["--sessions"], []),
        ([], ["--cache"], []),
        (
            ["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"], ["--cache"],
            ["--cache: Redis at * refuses writes when its maxmemory is reached"]
        ),
        (["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"], ["--cache"], []),
        (
            ["--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"], ["--sessions"],
            ["--sessions: Redis at * drops sessions when its maxmemory is reached (maxmemory-policy volatile-ttl)"]
        ),
        (
            ["--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "noeviction"], ["--cache", "--sessions"],
            ["--cache and --sessions: Redis at * refuses the cache's writes as well"]
        ),
        // Without CONFIG, INFO tells of all but save points.
        (
            ["--rename-command", "CONFIG", "", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu"], ["--sessions"],
            ["--sessions: Redis at * does not tell whether it writes to disk", "--sessions: Redis at * drops sessions"]
        ),
        (["--rename-command", "CONFIG", "", "--appendonly", "yes"], ["--sessions"], []),
        // Without both nothing is known, and the start goes on.
        (
            ["--rename-command", "CONFIG", "", "--rename-command", "INFO", ""], ["--sessions"],
            ["--sessions: Redis at * does not tell whether it writes to disk"]
        ),
    ]

    @Test(arguments: servers.indices) func `serve warns of what it finds, line by line, and serves`(index: Int) async throws {
        let (options, flags, advice) = Self.servers[index]
        let secret = "the-secret"
        let server = try await PrivateRedis.running(["--requirepass", secret] + options)
        // Two databases of one server are one server.
        let urls = flags.enumerated().flatMap { [$1, "redis://:\(secret)@127.0.0.1:\(server.port)/\($0)"] }
        let running = try ProfileServiceProgram.Running.start(
            ["serve", "--listen", "127.0.0.1:0", "--seed", "1", "--store-timeout", "30"] + urls)
        let port = try await running.port()
        #expect(try await HTTPConversation.request("GET", "/readyz", port: port).status == 200)
        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        #expect(outcome.status == 0)
        let lines = outcome.errors.split(separator: "\n").filter { $0.contains("warning") && $0.contains("Redis at") }
        #expect(lines.count == advice.count, "\(outcome.errors)")
        for text in advice {
            let begin = text.replacing("*", with: "127.0.0.1:\(server.port)")
            #expect(lines.contains { $0.contains(begin) }, "\(text): \(outcome.errors)")
        }
        #expect(!outcome.errors.contains(secret))
    }

    @Test func `a worker warns of the Redis with its results`() async throws {
        let server = try await PrivateRedis.running()
        // RabbitMQ is waited for, and the advice does not wait for it.
        let running = try ProfileServiceProgram.Running.start(["worker", "--queue", "amqp://127.0.0.1:1//", "--results", server.url])
        try await eventually(within: .seconds(60), "the worker runs") { running.errors.contains("running jobs") }
        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        #expect(outcome.status == 0)
        let lines = outcome.errors.split(separator: "\n").filter { $0.contains("warning") && $0.contains("Redis at") }
        try #require(lines.count == 1, "\(outcome.errors)")
        #expect(lines[0].contains("--results: Redis at 127.0.0.1:\(server.port) writes nothing to disk"))
    }

    @Test func `a server that is down gets no advice, and no start waits for it`() async throws {
        let server = try PrivateRedis.stopped()
        let running = try ProfileServiceProgram.Running.start([
            "serve", "--listen", "127.0.0.1:0", "--seed", "1", "--sessions", server.url,
        ])
        _ = try await running.port()
        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        #expect(outcome.status == 0)
        #expect(!outcome.errors.contains("writes to disk"))
        #expect(!outcome.errors.contains("does not tell"))
    }
}
