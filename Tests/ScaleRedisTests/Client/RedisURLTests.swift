import ScaleCore
import Testing

@testable import ScaleRedis

@Suite struct RedisURLTests {
    @Test func `a full URL`() throws {
        let url = try RedisURL("rediss://us%40er:p%3Aw@cache.example:7000/12")
        #expect(url.host == "cache.example")
        #expect(url.port == 7000)
        #expect(url.usesTLS)
        #expect(url.user == "us@er")
        #expect(url.password?.reveal() == "p:w")
        #expect(url.database == 12)
        #expect(url.address == "cache.example:7000")
    }

    @Test(arguments: ["redis://localhost", "redis://localhost/", "redis://localhost:6379/0"])
    func `what is missing has its default`(text: String) throws {
        let url = try RedisURL(text)
        #expect(url.host == "localhost" && url.port == 6379 && url.database == 0)
        #expect(url.user == nil && url.password == nil && !url.usesTLS)
    }

    @Test func `an IPv6 address stands in brackets in messages`() throws {
        #expect(try RedisURL("redis://[::1]:7000").address == "[::1]:7000")
    }

    @Test(arguments: [
        "", "localhost", "http://localhost", "redis://", "redis://a,b", "redis://localhost:0", "redis://localhost:65536",
        "redis://localhost/x", "redis://localhost/-1", "redis://localhost/1/2", "redis://localhost//1", "redis://localhost/99999999999",
        "redis://localhost/+1", "redis://localhost/٣", "redis://localhost?x=1", "redis://user:secret@localhost/x", "redis://:secret@",
    ])
    func `anything else is an error of the configuration that shows no secret`(text: String) {
        do {
            _ = try RedisURL(text)
            Issue.record("accepted \(text)")
        } catch {
            #expect(error.code == .invalidConfiguration)
            #expect(!"\(error)".contains("secret"))
        }
    }

    @Test func `settings that cannot be are refused with their name`() {
        let changes: [(String, (inout RedisConfiguration) -> Void)] = [
            ("connectTimeout", { $0.connectTimeout = .zero }), ("commandTimeout", { $0.commandTimeout = .seconds(-1) }),
            ("idleTimeout", { $0.idleTimeout = .zero }), ("maximumInFlight", { $0.maximumInFlight = 0 }),
            ("maximumWaiting", { $0.maximumWaiting = -1 }), ("maximumUnwrittenBytes", { $0.maximumUnwrittenBytes = 0 }),
            ("maximumUnwrittenBytes", { $0.maximumUnwrittenBytes = Int.max }), ("replyLimits", { $0.replyLimits.nesting = 0 }),
            ("clientName", { $0.clientName = "two words" }), ("clientName", { $0.clientName = "" }),
        ]
        for (name, change) in changes {
            var configuration = RedisConfiguration()
            change(&configuration)
            #expect { _ = try RedisClient("redis://localhost", configuration: configuration) } throws: { error in
                (error as? RedisError)?.code == .invalidConfiguration && (error as? RedisError)?.message.contains(name) == true
            }
        }
    }

    /// The URL, whether the configuration has user and password, and what `AUTH` is sent with.
    @Test(
        arguments: [
            ("redis://localhost", true, true, "configured", "configured"),
            ("redis://localhost", false, true, nil, "configured"),
            ("redis://localhost", false, false, nil, nil),
            ("redis://:mine@localhost", true, true, nil, "mine"),
            ("redis://bob:mine@localhost", true, true, "bob", "mine"),
            ("redis://bob@localhost", false, true, "bob", "configured"),
            ("redis://bob@localhost", true, true, "bob", "configured"),
        ] as [(String, Bool, Bool, String?, String?)])
    func `user and password of the URL come before those of the configuration, each by itself`(
        text: String, hasUser: Bool, hasPassword: Bool, user: String?, password: String?
    ) throws {
        var configuration = RedisConfiguration()
        if hasUser { configuration.user = "configured" }
        if hasPassword { configuration.password = Secret("configured") }
        let url = try RedisURL(text)
        try url.validate(with: configuration)
        let greeting = Greeting(configuration, url: url)
        #expect(greeting.user == user)
        #expect(greeting.password?.reveal() == password)
    }

    @Test(
        arguments: [("redis://bob@localhost", nil), ("redis://bob:@localhost", nil), ("redis://localhost", "bob")] as [(String, String?)])
    func `a user without any password is an error of the configuration`(text: String, user: String?) {
        var configuration = RedisConfiguration()
        configuration.user = user
        let error = #expect(throws: RedisError.self) { _ = try RedisClient(text, configuration: configuration) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("password") == true)
    }
}
