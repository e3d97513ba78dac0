import Foundation
import Logging
import ScaleTesting
import ServiceLifecycle

@testable import ProfileService

/// A running service for one test: two instances over shared stores, a worker, and the proxy in front.
struct ServiceUnderTest: Sendable {
    /// By which way a request comes; the contract holds on both.
    enum Way: CaseIterable, Sendable {
        case direct
        case proxied
    }

    /// Services at a time: each computes scrypt hashes, and too many at once would keep each other waiting for minutes.
    private static let slots = Slots(3)

    let demo: DemoProcess
    let proxyPort: Int
    let instancePorts: [Int]
    let metrics: PrometheusRegistry

    /// Starts a service with `seed` profiles, gives it to `body`, and ends it gracefully.
    ///
    /// - Parameters:
    ///   - database: the path of its SQLite file; by default a new one.
    ///   - rounds: scrypt's N for the passwords that come; those of seeded users are hashed as ever, and match with the usual N alone.
    ///   - logHandler: gets all that the service logs.
    static func with<Result: Sendable>(
        seed: Int = 3, insecureCookies: Bool = true, on ground: Ground = .embedded, database: String? = nil,
        rounds: Int = PasswordHasher.rounds, logHandler: any LogHandler = SwiftLogNoOpLogHandler(),
        _ body: @escaping @Sendable (ServiceUnderTest) async throws -> Result
    ) async throws -> Result {
        var settings = DemoSettings()
        settings.listen = ListenAddress(host: "127.0.0.1", port: 0)
        settings.seed = seed
        settings.insecureCookies = insecureCookies
        settings.database = database
        await Self.slots.take()
        defer { Self.slots.give() }
        let logger = Logger(label: "test", factory: { _ in logHandler })
        return try await ScratchDirectory.with { [settings] scratch in
            let metrics = PrometheusRegistry()
            let demo = try await DemoProcess(
                settings: settings, scratch: scratch, metrics: metrics, logger: logger,
                stores: try await ground.stores(metrics: metrics, logger: logger), patience: ground.patience, rounds: rounds)
            let group = ServiceGroup(services: demo.services, logger: logger)
            let ended = Announcement<Void>()
            async let running: Void = Self.run(group, ended)
            let outcome: Swift.Result<Result, any Error>
            do {
                outcome = .success(try await body(try await Self.listening(demo, metrics, unless: ended)))
            } catch {
                outcome = .failure(error)
            }
            await group.triggerGracefulShutdown()
            try await running
            return try outcome.get()
        }
    }

    private static func run(_ group: ServiceGroup, _ ended: Announcement<Void>) async throws {
        defer { ended.make(()) }
        try await group.run()
    }

    /// The service, once all of its parts listen; one that `ended` before will never.
    private static func listening(
        _ demo: DemoProcess, _ metrics: PrometheusRegistry, unless ended: Announcement<Void>
    ) async throws -> ServiceUnderTest {
        try await withThrowingTaskGroup(of: ServiceUnderTest.self) { tasks in
            tasks.addTask {
                ServiceUnderTest(
                    demo: demo, proxyPort: try Self.port(try await demo.proxyAddress()),
                    instancePorts: try await demo.instanceAddresses().map(Self.port), metrics: metrics)
            }
            tasks.addTask {
                try await ended.value()
                throw TestFailure("a part ended before all of them listened")
            }
            defer { tasks.cancelAll() }
            guard let service = try await tasks.next() else { throw CancellationError() }
            return service
        }
    }

    func port(_ way: Way) -> Int {
        switch way {
        case .direct: self.instancePorts[0]
        case .proxied: self.proxyPort
        }
    }

    private static func port(_ address: String) throws -> Int {
        guard let port = address.split(separator: ":").last.flatMap({ Int($0) }) else { throw TestFailure("no port in \(address)") }
        return port
    }
}

extension ServiceUnderTest {
    typealias Answer = HTTPConversation.Answer

    /// One request on a connection of its own; see ``HTTPConversation/request(_:_:_:port:cookie:contentType:headers:from:)``.
    func request(
        _ method: String, _ path: String, _ body: String? = nil, via way: Way = .proxied, cookie: String? = nil,
        contentType: String? = "application/json", headers: [String] = [], onInstance instance: Int? = nil, from address: String? = nil
    ) async throws -> Answer {
        try await HTTPConversation.request(
            method, path, body, port: instance.map { self.instancePorts[$0] } ?? self.port(way), cookie: cookie, contentType: contentType,
            headers: headers, from: address)
    }

    /// The list of profiles as an instance gives it, and its `X-Cache`.
    func list(onInstance instance: Int? = nil) async throws -> (profiles: [Profile], outcome: String?) {
        let answer = try await self.request("GET", "/profiles", onInstance: instance)
        guard answer.status == 200 else { throw TestFailure("the list was answered \(answer.status)") }
        return (try JSONDecoder().decode([Profile].self, from: Data(answer.body)), answer.header("x-cache"))
    }

    /// Logs a seeded user in and returns the cookie to send.
    func login(_ user: Int, via way: Way = .proxied) async throws -> String {
        let answer = try await self.request(
            "POST", "/login", #"{"email":"\#(Seed.email(user))","password":"\#(Seed.password)"}"#, via: way)
        guard answer.status == 200, let cookie = answer.cookie else { throw TestFailure("login was answered \(answer.status)") }
        return cookie
    }
}

extension HTTPConversation.Answer {
    /// The session cookie that the answer sets, as it is sent back.
    var cookie: String? {
        self.header("set-cookie").flatMap { $0.split(separator: ";").first }.map(String.init)
    }

    /// The body as JSON.
    func json() throws -> NSDictionary {
        guard let object = try JSONSerialization.jsonObject(with: Data(self.body)) as? NSDictionary else {
            throw TestFailure("the body is no JSON object: \(self.text.prefix(200))")
        }
        return object
    }
}
