import BalancerKit
import ScaleCore
import Testing

struct EndpointTests {
    @Test(arguments: [
        ("10.0.0.1:8001", Endpoint.Address.host("10.0.0.1", port: 8001)),
        ("api_1.Internal:443", .host("api_1.internal", port: 443)),
        ("a:1", .host("a", port: 1)),
        ("a:65535", .host("a", port: 65535)),
        ("[::1]:80", .host("::1", port: 80)),
        ("[fe80::1%eth0]:80", .host("fe80::1%eth0", port: 80)),
        ("unix:/run/app.sock", .unix(path: "/run/app.sock")),
    ])
    func `an address is read and written in one form`(text: String, address: Endpoint.Address) throws {
        let endpoint = try Endpoint(parsing: text)
        #expect(endpoint.address == address)
        #expect(try Endpoint(parsing: endpoint.description) == endpoint)
        #expect(Endpoint(stringLiteral: text) == endpoint)
    }

    @Test(arguments: [
        "", ":", ":80", "a", "a:", "a:0", "a:65536", "a:-1", "a:+1", "a: 80", "a:80 ", "a:99999999999999999999", "a:8O", "::1", "::1:80",
        "[::1]", "[::1",
        "[::1]80", "[a]:80", "[]:80", "a b:80", "user:pass@host:80", "http://a:80", "a/b:80", "ä:80", "a:８０", "unix:", "unix:run/app.sock",
        "a:80:81",
        "[::1]x:80", "unix:/a\u{0}b",
    ])
    func `text that is no address is refused with its reason`(text: String) throws {
        let error = try #require(throws: BalancerError.self) { try Endpoint(parsing: text) }
        #expect(error.code == .invalidEndpoint)
        #expect(!error.message.isEmpty)
    }

    @Test func `the longest path and host are taken, one byte more is refused`() throws {
        let path = "unix:/" + String(repeating: "a", count: 102)
        _ = try Endpoint(parsing: path)
        #expect(throws: BalancerError.self) { try Endpoint(parsing: path + "a") }
        let host = String(repeating: "a", count: 253)
        _ = try Endpoint(parsing: host + ":80")
        #expect(throws: BalancerError.self) { try Endpoint(parsing: host + "a:80") }
    }

    @Test(arguments: ["user:hunter2@host:80", "redis://:hunter2@a:80", "hunter2 a:b"])
    func `credentials pasted in place of an address are not repeated by the error`(text: String) throws {
        let error = try #require(throws: BalancerError.self) { try Endpoint(parsing: text) }
        #expect(!String(describing: error).contains("hunter2"))
        let inSet = try #require(throws: BalancerError.self) { try EndpointSet([Endpoint(stringLiteral: text)]) }
        #expect(!String(describing: inSet).contains("hunter2"))
    }

    @Test func `a literal that is no address makes the set throw, not trap`() throws {
        let endpoint: Endpoint = "no address"
        let error = try #require(throws: BalancerError.self) { try EndpointSet([endpoint]) }
        #expect(error.code == .invalidEndpoint)
    }

    @Test func `an endpoint is right as it is, with nginx's defaults`() {
        let endpoint: Endpoint = "a:80"
        #expect(endpoint.weight == 1)
        #expect(endpoint.maxFails == 1)
        #expect(endpoint.failTimeout == .seconds(10))
        #expect(endpoint.maxConnections == 0)
        #expect(!endpoint.isBackup && !endpoint.isDown)
    }

    @Test func `settings that cannot work are refused, their nearest neighbours are taken`() throws {
        func refused(_ endpoint: Endpoint) -> Bool {
            (try? EndpointSet([endpoint])) == nil
        }
        #expect(refused(.named("a", weight: 0)) && !refused(.named("a", weight: 1)))
        #expect(refused(.named("a", weight: .min)))
        #expect(refused(.named("a", maxFails: -1)) && !refused(.named("a", maxFails: 0)))
        #expect(refused(.named("a", failTimeout: .nanoseconds(-1))) && !refused(.named("a", failTimeout: .zero)))
        #expect(refused(.named("a", maxConnections: -1)) && !refused(.named("a", maxConnections: 0)))
        #expect(refused(Endpoint(host: "a", port: 0)) && !refused(Endpoint(host: "a", port: 1)))
        #expect(refused(Endpoint(host: "a", port: 65536)) && !refused(Endpoint(host: "a", port: 65535)))
        #expect(refused(Endpoint(host: "a", port: .min)))
    }

    @Test func `weights may add up to just below 2^31`() throws {
        _ = try EndpointSet([.named("a", weight: Int(Int32.max) - 1), .named("b", weight: 1)])
        #expect(throws: BalancerError.self) { try EndpointSet([.named("a", weight: Int(Int32.max)), .named("b", weight: 1)]) }
        #expect(throws: BalancerError.self) { try EndpointSet([.named("a", weight: .max), .named("b", weight: .max)]) }
    }

    @Test func `a set needs an endpoint, and each address once`() throws {
        let empty = try #require(throws: BalancerError.self) { try EndpointSet([]) }
        #expect(empty.code == .invalidConfiguration)
        let twice = try #require(throws: BalancerError.self) { try EndpointSet(["a:80", "A:80"]) }
        #expect(twice.code == .invalidEndpoint)
        _ = try EndpointSet(["a:80", "a:81"])
    }

    @Test func `extreme settings of health neither trap nor change its rules`() throws {
        let picks = try Picks([
            .named("a", weight: 1_000_000_000, maxFails: .max, failTimeout: .seconds(Int64.max), maxConnections: .max),
            .named("b", maxFails: .max),
        ])
        for second in [0, Int64.max, Int64.min, -1] {
            picks.now = Instant(nanoseconds: second)
            #expect(picks.calls(3, .failure).count == 3)
        }
    }
}
