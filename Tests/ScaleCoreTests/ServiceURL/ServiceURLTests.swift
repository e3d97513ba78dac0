import ScaleCore
import Testing

struct ServiceURLTests {
    @Test func `a Redis URL names its host, its port and the database`() throws {
        let url = try ServiceURL("redis://127.0.0.1:6379/1", schemes: [.redis, .rediss])
        #expect(url.scheme == .redis)
        #expect(!url.scheme.usesTLS)
        #expect(url.hosts == [.init(name: "127.0.0.1", port: 6379)])
        #expect(url.path == "/1")
        #expect(url.user == nil && url.password == nil && url.options.isEmpty)
    }

    @Test func `the scheme decides about TLS, in any case of letters`() throws {
        let url = try ServiceURL("REDISS://h", schemes: [.redis, .rediss])
        #expect(url.scheme == .rediss)
        #expect(url.scheme.usesTLS)
        #expect(ServiceURL.Scheme("REDIS").name == "redis")
    }

    @Test(
        arguments: [
            ("redis://h", [("h", 6379)]), ("redis://h:", [("h", 6379)]), ("redis://h:1", [("h", 1)]), ("redis://h:65535/", [("h", 65_535)]),
            ("redis://h:007", [("h", 7)]), ("redis://a:1,b:2/0", [("a", 1), ("b", 2)]),
            ("redis://a,b:2,c", [("a", 6379), ("b", 2), ("c", 6379)]),
            ("redis://[::1]", [("::1", 6379)]), ("redis://[::1]:1", [("::1", 1)]),
            ("redis://[::1]:1,b,[fe80::2]", [("::1", 1), ("b", 6379), ("fe80::2", 6379)]),
            ("redis://[fe80::1%25eth0]:1", [("fe80::1%eth0", 1)]), ("redis://[::ffff:10.0.0.1]", [("::ffff:10.0.0.1", 6379)]),
            ("redis://cache_1.my-net.:1", [("cache_1.my-net.", 1)]), ("redis://u:p@a:1,b:2", [("a", 1), ("b", 2)]),
            ("tcp://h", [("h", nil)]),
            ("pyamqp://", [("localhost", 5672)]), ("pyamqp:", [("localhost", 5672)]), ("pyamqp://:1", [("localhost", 1)]),
            ("pyamqp://guest@/v", [("localhost", 5672)]), ("sqlite:jobs.db", []),
            ("redis://\(String(repeating: "a", count: 63))", [(String(repeating: "a", count: 63), 6379)]),
        ] as [(String, [(String, Int?)])])
    func `hosts and ports`(text: String, hosts: [(String, Int?)]) throws {
        let url = try ServiceURL(text, schemes: .all)
        #expect(url.hosts == hosts.map { ServiceURL.Host(name: $0.0, port: $0.1) })
    }

    @Test(
        arguments: [
            ("redis://h", nil, nil), ("redis://@h", nil, nil), ("redis://:@h", nil, nil), ("redis://u@h", "u", nil),
            ("redis://u:@h", "u", nil),
            ("redis://:p@h", nil, "p"), ("redis://u:p@h", "u", "p"), ("redis://u:p:q@h", "u", "p:q"), ("redis://u:p@q@h", "u", "p@q"),
            ("redis://u:a,b@h", "u", "a,b"), ("redis://a%3Ab:c%40d%2Fe%3Ff%23g%25@h", "a:b", "c@d/e?f#g%"), ("redis://u:a+b@h", "u", "a+b"),
            ("redis://u:p%20q@h", "u", "p q"), ("redis://%C3%A9:é@h", "é", "é"), ("redis://u:[^|]@h", "u", "[^|]"),
        ] as [(String, String?, String?)])
    func `credentials are decoded`(text: String, user: String?, password: String?) throws {
        let url = try ServiceURL(text, schemes: .all)
        #expect(url.user == user)
        #expect(url.password?.reveal() == password)
        #expect(url.hosts.map(\.name) == ["h"])
    }

    @Test(arguments: [
        ("redis://h", "", ""), ("redis://h/", "/", "/"), ("redis://h/1", "/1", "/1"), ("pyamqp://guest@localhost//", "//", "//"),
        ("pyamqp://localhost/%2Fvhost", "//vhost", "/%2Fvhost"), ("pyamqp://h/a%20b", "/a b", "/a%20b"), ("pyamqp://h/a+b", "/a+b", "/a+b"),
        ("sqlite:jobs.db", "jobs.db", "jobs.db"), ("sqlite:///var/jobs.db", "/var/jobs.db", "/var/jobs.db"), ("sqlite:/x", "/x", "/x"),
        ("redis://h?timeout=1", "", ""), ("memcached://h/", "/", "/"), ("pyamqp://h/a:b,c", "/a:b,c", "/a:b,c"),
    ])
    func `the path is kept decoded and as written`(text: String, path: String, rawPath: String) throws {
        let url = try ServiceURL(text, schemes: .all)
        #expect(url.path == path)
        #expect(url.rawPath == rawPath)
    }

    @Test(arguments: [
        ("redis://h/1?timeout=2&name=a", ["timeout": "2", "name": "a"]), ("redis://h?name=a+b%2Bc%26", ["name": "a b+c&"]),
        ("redis://h?name", ["name": ""]), ("redis://h?", [:]), ("redis://h?&&name=a&", ["name": "a"]),
        ("redis://h?name=a=b", ["name": "a=b"]),
        ("redis://h?n%61me=x", ["name": "x"]), ("redis://h?name=a?b/c", ["name": "a?b/c"]),
    ])
    func `options are decoded`(text: String, options: [String: String]) throws {
        let url = try ServiceURL(text, schemes: .all)
        #expect(url.options.count == options.count)
        for (name, value) in options { #expect(url.option(name) == value) }
        #expect(url.option("absent") == nil)
    }

    @Test func `options keep their order`() throws {
        let url = try ServiceURL("redis://h?name=1&timeout=2", schemes: .all)
        #expect(url.options.map(\.name) == ["name", "timeout"])
    }

    @Test func `equal URLs are equal, and a password makes a difference`() throws {
        let text = "redis://u:p@h/1"
        #expect(try ServiceURL(text, schemes: .all) == ServiceURL(text, schemes: .all))
        #expect(try ServiceURL(text, schemes: .all) != ServiceURL("redis://u:q@h/1", schemes: .all))
    }
}
