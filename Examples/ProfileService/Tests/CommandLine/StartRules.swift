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

/// How the program starts, refuses to start, and what it says of itself.
@Suite struct StartRules {
    /// Each bad start with what its one line must name.
    static let badStarts: [(arguments: [String], names: String)] = [
        (["serve", "--listen", "10.255.255.1:8080"], "--listen 10.255.255.1:8080"),
        (["serve", "--listen", "no.such.host.invalid:8080"], "--listen no.such.host.invalid:8080"),
        (["serve", "--listen", "127.0.0.1:0", "--database", "/nonexistent/directory/file.sqlite"], "/nonexistent/directory/file.sqlite"),
        (["serve", "--listen", "127.0.0.1:0", "--database", "/"], "--database /"),
        (["serve", "--listen", "127.0.0.1:0", "--database", ""], "--database"),
        (
            ["serve", "--listen", "127.0.0.1:0", "--queue", "sqlite:/nonexistent/directory/jobs.sqlite"],
            "--queue sqlite:/nonexistent/directory/jobs.sqlite"
        ),
        // Redis is down as well, which alone would be no bad start.
        (
            ["serve", "--listen", "127.0.0.1:0", "--cache", "redis://127.0.0.1:1", "--database", "/nonexistent/directory/file.sqlite"],
            "--database /nonexistent/directory/file.sqlite"
        ),
        (
            [
                "serve", "--listen", "127.0.0.1:0", "--seed", "0", "--cache", "redis://127.0.0.1:1", "--queue",
                "sqlite:/nonexistent/directory/jobs.sqlite",
            ], "--queue sqlite:/nonexistent/directory/jobs.sqlite"
        ),
        (
            [
                "serve", "--listen", "127.0.0.1:0", "--seed", "0", "--cache", "redis://127.0.0.1:1", "--sessions",
                "redis://127.0.0.1/first",
            ], "--sessions"
        ),
        (["serve", "--listen", "0.0.0.0:0", "--insecure-cookies"], "--insecure-cookies"),
        (["serve", "--listen", "127.0.0.1:0", "--cache", "redis://127.0.0.1:notaport"], "--cache"),
        (["serve", "--listen", "127.0.0.1:0", "--cache", "redis://"], "--cache"),
        (["serve", "--listen", "127.0.0.1:0", "--sessions", "redis://127.0.0.1/first"], "--sessions"),
        (["serve", "--listen", "127.0.0.1:0", "--seed", "0", "--cache", "memcached://"], "--cache"),
        (["serve", "--listen", "127.0.0.1:0", "--seed", "0", "--cache", "memcached://somebody@127.0.0.1"], "--cache"),
        (["serve", "--listen", "127.0.0.1:0", "--seed", "0", "--sessions", "memcached://127.0.0.1:1"], "--sessions"),
        (["serve", "--listen", "127.0.0.1:0", "--seed", "0", "--queue", "amqp://127.0.0.1:1"], "--results"),
        (["worker", "--queue", "amqp://127.0.0.1:1"], "--results"),
        (["worker", "--queue", "amqp://127.0.0.1:1", "--results", "memcached://127.0.0.1:1"], "--results"),
        (["worker", "--queue", "amqp://127.0.0.1:port", "--results", "redis://127.0.0.1:1"], "--queue"),
        (["smoke", "--redis", "redis://127.0.0.1:1"], "--redis: Redis at 127.0.0.1:1"),
        (["serve", "--listen", "127.0.0.1:0", "--seed=-1"], "--seed"),
        (["serve", "--listen", "127.0.0.1:0", "--trusted-proxy", "localhost"], "--trusted-proxy localhost"),
        (["serve", "--listen", "127.0.0.1:0", "--listeners-per-client", "0"], "--listeners-per-client 0"),
        (["serve", "--listen", "127.0.0.1:0", "--store-timeout", "0"], "--store-timeout 0"),
        (["worker", "--queue", "sqlite:jobs.sqlite", "--store-timeout", "3601"], "--store-timeout 3601"),
        (["worker"], "--queue"),
        (["worker", "--queue", "memory"], "--queue"),
        (["worker", "--queue", "sqlite:/nonexistent/directory/jobs.sqlite"], "--queue sqlite:/nonexistent/directory/jobs.sqlite"),
        (["worker", "--queue", "sqlite:jobs.sqlite", "--concurrency", "0"], "--concurrency"),
        (["proxy", "--listen", "127.0.0.1:0"], "--upstream"),
        (["proxy", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:0"], "--upstream"),
        (["proxy", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9", "--upstream", "127.0.0.1:9"], "--upstream"),
        (["demo", "--listen", "0.0.0.0:0"], "--insecure-cookies"),
        (["demo", "--listen", "127.0.0.1:0", "--seed=-1"], "--seed"),
        (["demo", "--database", "/nonexistent/directory/file.sqlite", "--listen", "127.0.0.1:0"], "/nonexistent/directory/file.sqlite"),
        (["demo", "--smoke", "--json", "/nonexistent/directory/steps.json"], "/nonexistent/directory/steps.json"),
        (["demo", "--smoke", "--redis", "redis://127.0.0.1:1"], "--redis: Redis at 127.0.0.1:1"),
        (["demo", "--smoke", "--redis", "redis://127.0.0.1:port"], "--redis"),
    ]

    @Test(arguments: badStarts.indices) func `a bad start is one line that names the culprit, and code 1`(index: Int) async throws {
        let (arguments, name) = Self.badStarts[index]
        let outcome = try await ProfileServiceProgram.run(arguments)
        #expect(outcome.status == 1)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains(name), "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
    }

    @Test(arguments: [
        "redis://:sesame@127.0.0.1/first", "reddis://:sesame@127.0.0.1", ":sesame@127.0.0.1", "redis://:sesame@",
        "amqp://guest:sesame@127.0.0.1:port",
    ])
    func `a password in a URL that cannot be used is not repeated`(url: String) async throws {
        for flag in ["--cache", "--sessions", "--queue"] {
            let arguments = ["--listen", "127.0.0.1:0", flag, url, "--log-level", "trace", "--results", "redis://127.0.0.1:1"]
            let outcome = try await ProfileServiceProgram.run(["serve"] + arguments)
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains(flag), "\(outcome.errors)")
            #expect(!outcome.errors.contains("sesame"), "\(outcome.errors)")
        }
    }

    static let badFlags: [(arguments: [String], names: String)] = [
        (["serve", "--prot", "80"], "--prot"), (["serve", "--listen", "nowhere"], "--listen"), (["serve", "--listen"], "--listen"),
        (["serve", "--listen", "127.0.0.1:65536"], "--listen"), (["serve", "--listen", "::1:80"], "--listen"),
        (["serve", "--cache", "disk"], "--cache"), (["serve", "--queue", "sqlite:"], "--queue"), (["serve", "--seed", "many"], "--seed"),
        (["serve", "--log-level", "loud"], "--log-level"), (["serve", "extra"], "extra"),
        (["demo", "--redis", "redis://127.0.0.1"], "--redis"), (["demo", "--json", "steps.json"], "--json"),
        (["demo", "--smoke", "--redis", "memory"], "--redis"), (["demo", "--smoke", "--redis", "127.0.0.1"], "--redis"),
        (["worker", "--queue", "kafka"], "--queue"), (["worker", "--concurrency", "x"], "--concurrency"),
        (["proxy", "--upstream", "nowhere"], "--upstream"), (["start"], "start"), (["smoke"], "--redis"),
        (["smoke", "--redis", "memory"], "--redis"), (["smoke", "--redis", "redis://127.0.0.1", "--memcached", "memory"], "--memcached"),
        (["smoke", "--redis", "redis://127.0.0.1", "--amqp", "sqlite:jobs"], "--amqp"),
        (["smoke", "--redis", "redis://127.0.0.1", "--python", "python3"], "--python"),
        (["smoke", "--redis", "redis://127.0.0.1", "--seed", "3"], "--seed"),
    ]

    @Test(arguments: badFlags.indices)
    func `an unknown flag or a bad value is named, the usage may follow, and the code is that of usage`(index: Int) async throws {
        let (arguments, name) = Self.badFlags[index]
        let outcome = try await ProfileServiceProgram.run(arguments)
        #expect(outcome.status == 64)  // EX_USAGE of sysexits.h
        #expect(outcome.errors.split(separator: "\n").first?.contains(name) == true, "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
    }

    @Test(arguments: ["serve", "demo", "proxy", "smoke"]) func `a port in use is named`(command: String) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        let address = "127.0.0.1:\(channel.localAddress?.port ?? 0)"
        let arguments =
            (command == "smoke" ? ["demo", "--smoke"] : [command]) + ["--listen", address]
            + (command == "proxy" ? ["--upstream", "127.0.0.1:9"] : [])
        let outcome = try await ProfileServiceProgram.run(arguments)
        try await channel.close()
        #expect(outcome.status == 1)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains("--listen \(address)"), "\(outcome.errors)")
        #expect(outcome.errors.contains("in use"), "\(outcome.errors)")
    }

    @Test func `a file that is no database is named and left as it is`() async throws {
        try await ScratchDirectory.with { scratch in
            let file = URL(fileURLWithPath: "\(scratch.path)/notes.txt")
            let text = Data(String(repeating: "This is no database. ", count: 100).utf8)
            try text.write(to: file)
            let outcome = try await ProfileServiceProgram.run(["serve", "--listen", "127.0.0.1:0", "--database", file.path])
            #expect(outcome.status == 1)
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            #expect(outcome.errors.contains("--database \(file.path)"), "\(outcome.errors)")
            #expect(try Data(contentsOf: file) == text)
        }
    }

    /// this:   sees that nothing was applied, waits for the lock ───────── has it, finds the work done
    /// other:  has the lock, applies the schema                  commits
    @Test func `an instance that waits while another creates the tables opens the database as well`() async throws {
        try await ScratchDirectory.with { scratch in
            let file = "\(scratch.path)/profiles.sqlite"
            let reference = try DatabaseQueue()
            try ProfileSchema.apply(to: reference)
            let tables = try await reference.read { database in
                try String.fetchAll(database, sql: "SELECT sql FROM sqlite_schema WHERE name IN ('profile', 'cache_notice')")
            }
            #expect(tables.count == 2)
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true  // one that stays open between two calls
            let other = try DatabaseQueue(path: file, configuration: configuration)
            try await other.writeWithoutTransaction { database in
                try database.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
                try database.execute(sql: "BEGIN IMMEDIATE")
                for table in tables { try database.execute(sql: table) }
                for step in ProfileSchema.migrator.migrations {
                    try database.execute(sql: "INSERT INTO grdb_migrations VALUES (?)", arguments: [step])
                }
            }
            configuration = Configuration()
            configuration.busyMode = .callback { _ in
                (try? other.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }) != nil
            }
            let this = try DatabaseQueue(path: file, configuration: configuration)
            try ProfileSchema.apply(to: this)
            #expect(try await this.read { try ProfileSchema.migrator.hasCompletedMigrations($0) })
        }
    }

    @Test func `instances that start at once on one fresh database all open it`() async throws {
        try await ScratchDirectory.with { scratch in
            for file in 0..<10 {
                try await withThrowingTaskGroup(of: Void.self) { instances in
                    for _ in 0..<8 {
                        instances.addTask {
                            let database = try await ProfileDatabase(
                                path: "\(scratch.path)/\(file).sqlite", seed: 3, metrics: PrometheusRegistry())
                            #expect(try await database.allProfiles().count == 3)
                        }
                    }
                    try await instances.waitForAll()
                }
            }
        }
    }

    @Test(arguments: [
        ("serve", "LISTEN", "nowhere"), ("serve", "SEED", "many"), ("serve", "INSECURE_COOKIES", "perhaps"), ("serve", "CACHE", "disk"),
        ("worker", "QUEUE", "kafka"), ("proxy", "UPSTREAM", "127.0.0.1:1,nowhere"), ("demo", "LOG_LEVEL", "loud"),
    ])
    func `a variable that cannot be read is named, its value is not`(command: String, variable: String, value: String) async throws {
        let outcome = try await ProfileServiceProgram.run([command], environment: ["PROFILE_SERVICE_\(variable)": value])
        #expect(outcome.status == 1)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains("PROFILE_SERVICE_\(variable)"), "\(outcome.errors)")
        #expect(!outcome.errors.contains(value), "\(outcome.errors)")
    }

    @Test func `a Memcached that is down at start is told of, and pages come from the database`() async throws {
        let running = try ProfileServiceProgram.Running.start([
            "serve", "--listen", "127.0.0.1:0", "--seed", "2", "--cache", "memcached://127.0.0.1:1",
        ])
        let port = try await running.port()
        #expect(try await HTTPConversation.request("GET", "/profiles", port: port).status == 200)
        #expect(try await HTTPConversation.request("GET", "/readyz", port: port).status == 503)
        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        #expect(outcome.status == 0)
        let warnings = outcome.errors.split(separator: "\n").filter { $0.contains("--cache: Memcached at 127.0.0.1:1") }
        #expect(warnings.count == 1 && warnings[0].contains("waiting for it"), "\(outcome.errors)")
    }

    @Test func `options come from the environment, and a flag wins over it`() async throws {
        let environment = ["PROFILE_SERVICE_LISTEN": "10.255.255.1:1", "PROFILE_SERVICE_SEED": "0"]
        let refused = try await ProfileServiceProgram.run(["serve"], environment: environment)
        #expect(refused.errors.contains("10.255.255.1:1"), "\(refused.errors)")
        let running = try ProfileServiceProgram.Running.start(["serve", "--listen", "127.0.0.1:0"], environment: environment)
        let port = try await running.port()
        #expect(try await HTTPConversation.request("GET", "/profiles", port: port).text == "[]")
        running.signal(SIGTERM)
        #expect(try await running.outcome().status == 0)
    }

    @Test(arguments: [
        ([], ["demo", "serve", "worker", "proxy"]),
        (["demo"], ["--listen", "--database", "--seed", "--smoke", "--redis", "--json", "--insecure-cookies", "--log-level"]),
        (
            ["serve"],
            [
                "--listen", "--cache", "--sessions", "--queue", "--results", "--database", "--seed", "--trusted-proxy",
                "--listeners-per-client", "--insecure-cookies", "--store-timeout", "--log-level",
            ]
        ),
        (["worker"], ["--queue", "--results", "--concurrency", "--store-timeout", "--log-level"]),
        (["proxy"], ["--listen", "--upstream", "--nginx", "--log-level"]),
        (["smoke"], ["--redis", "--memcached", "--amqp", "--python", "--nginx", "--json"]),
    ])
    func `help is there throughout and names every option`(command: [String], names: [String]) async throws {
        for arguments in [command + ["--help"], command + ["-h"], ["help"] + command] {
            let outcome = try await ProfileServiceProgram.run(arguments)
            #expect(outcome.status == 0)
            #expect(outcome.output.contains("USAGE: profile-service"))
            for name in names { #expect(outcome.output.contains(name), "\(arguments) \(name)") }
            #expect(outcome.errors.isEmpty)
        }
    }

    @Test func `demo prints its address, the seeded users' password and commands to paste`() async throws {
        let running = try ProfileServiceProgram.Running.start(["demo", "--listen", "127.0.0.1:0", "--seed", "1"])
        let port = try await running.port()
        for text in ["http://127.0.0.1:\(port)", Seed.password, "curl", "Ctrl-C"] { #expect(running.output.contains(text), "\(text)") }
        let login = #"{"email":"\#(Seed.email(1))","password":"\#(Seed.password)"}"#
        #expect(try await HTTPConversation.request("POST", "/login", login, port: port).status == 200)
        running.signal(SIGINT)
        #expect(try await running.outcome().status == 0)
    }

    @Test func `serve warns of each store in memory that it serves one instance, and answers metrics of its own`() async throws {
        let running = try ProfileServiceProgram.Running.start(["serve", "--listen", "127.0.0.1:0", "--seed", "0"])
        let port = try await running.port()
        let metrics = try await HTTPConversation.request("GET", "/metrics", port: port).text
        // There before anything was counted, so that nobody takes their absence for a zero.
        #expect(metrics.contains("cache_loads_total"))
        #expect(metrics.contains("database_queries_total 0\n"))
        running.signal(SIGTERM)
        let outcome = try await running.outcome()
        for flag in ["--cache", "--sessions", "--queue"] {
            #expect(outcome.errors.contains("\(flag) memory serves this one instance only"))
        }
    }
}
