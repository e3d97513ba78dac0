import Foundation
public import Logging
import ServiceLifecycle

/// What `demo` is told.
public struct DemoSettings: Sendable {
    public var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    /// Nil: a new file that is removed at the end.
    public var database: String?
    public var seed = 1000
    public var insecureCookies = true

    public init() {}

    /// Runs everything in this process until Ctrl-C.
    public func run(logger: Logger) async throws {
        try self.check()
        try await ListenCheck.run(self.listen)
        try await ScratchDirectory.reserved { scratch in
            try await ServiceRunner(logger: logger).run {
                try scratch.create()
                let metrics = PrometheusRegistry()
                metrics.install()
                let demo = try await DemoProcess(settings: self, scratch: scratch, metrics: metrics, logger: logger)
                return demo.services + [DemoGreeting(demo: demo, database: self.database ?? "\(scratch.path)/profiles.sqlite")]
            }
        }
    }

    func check() throws {
        var serve = ServeSettings()
        serve.listen = self.listen
        serve.seed = self.seed
        serve.insecureCookies = self.insecureCookies
        try serve.check()
    }
}

/// Tells the user what runs where, once it runs.
private struct DemoGreeting: Service {
    let demo: DemoProcess
    let database: String

    func run() async throws {
        let proxy = try await self.demo.proxyAddress()
        Console.say(
            """

            The profile service runs: two instances, a worker, and a proxy in front.

              \(proxy)

            Try, in another terminal:

              curl -i \(proxy)/profiles/1
              curl -i -o /dev/null \(proxy)/profiles          # X-Cache: miss, then hit
              curl -i -c cookies -H 'Content-Type: application/json' \\
                   -d '{"email":"\(Seed.email(1))","password":"\(Seed.password)"}' \(proxy)/login
              curl -i -b cookies -X PUT -H 'Content-Type: application/json' -d '{"name":"New name","bio":""}' \(proxy)/profiles/1
              curl -i -b cookies -X POST \(proxy)/profiles/1/notifications
              curl -N \(proxy)/live                         # then change a profile
              curl \(proxy)/analytics
              curl \(proxy)/metrics

            Users are \(Seed.email(1)), \(Seed.email(2)), …; the password of each is: \(Seed.password)
            The database is \(self.database)
            Ctrl-C ends it.
            """)
        try await gracefulShutdown()
    }
}
