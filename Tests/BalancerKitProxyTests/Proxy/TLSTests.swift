import BalancerKit
import Foundation
import NIOPosix
import ScaleTesting
import Testing

@testable import BalancerKitProxy

@Suite struct TLSTests {
    static func tls(_ directory: TestDirectory, _ certificates: [(String, TestCertificates.Pair, [String])]) throws -> ProxyTLS {
        for (name, pair, _) in certificates { try directory.write(pair, as: name) }
        return ProxyTLS(
            certificates: certificates.map { name, _, names in
                .init(chainFile: directory("\(name).pem"), keyFile: directory("\(name).key"), serverNames: names)
            })
    }

    @Test func `requests go over TLS, the upstream is told, and the connection is kept`() async throws {
        let directory = try TestDirectory()
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.tls = try Self.tls(directory, [("one", TestCertificates.one, [])])
        configuration.clientKeepAlive.requests = 3
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let client = TLSClient()
            let connection = try await client.connect(proxy, protocols: ["h2", "http/1.1"])
            for _ in 0..<3 {
                try await connection.send(get("X-Forwarded-Proto: http"))
                #expect(try await connection.response().body == "hello")
                #expect(upstream.requests.last?.fields("X-Forwarded-Proto") == ["https"])
            }
            // Ended by the proxy, with TLS' own goodbye: anything else would be an error on this side.
            #expect(try await connection.untilEnd() == .closed)
            #expect(client.agreed.all == ["http/1.1"])
            #expect(try client.shown.all == [TestCertificates.one.der])
        }
        await upstream.stop()
        directory.remove()
    }

    @Test func `a large response goes through whole, no faster than the client takes it`() async throws {
        let directory = try TestDirectory()
        let large = String(repeating: "0123456789abcdef", count: 200_000)
        let upstream = try await ScriptedUpstream.start { _ in [.send(ok(large))] }
        var configuration = configuration(upstream.port)
        configuration.tls = try Self.tls(directory, [("one", TestCertificates.one, [])])
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await TLSClient().connect(proxy)
            try await connection.send(get())
            #expect(try await connection.response().body == large)
            await connection.close()
        }
        await upstream.stop()
        directory.remove()
    }

    @Test func `the certificate is chosen by the name that is asked for`() async throws {
        let directory = try TestDirectory()
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.tls = try Self.tls(
            directory,
            [
                ("one", TestCertificates.one, ["one.example"]), ("two", TestCertificates.two, ["two.example", "*.two.example"]),
                ("three", TestCertificates.three, []),
            ])
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            for (name, pair) in [
                ("one.example", TestCertificates.one), ("ONE.example", TestCertificates.one), ("two.example", TestCertificates.two),
                ("a.b.two.example", TestCertificates.two), ("other.example", TestCertificates.three), (nil, TestCertificates.three),
            ] {
                let client = TLSClient()
                let connection = try await client.connect(proxy, name: name)
                try await connection.send(get())
                #expect(try await connection.response().status == 200)
                #expect(try client.shown.all == [pair.der], "\(name ?? "no name")")
                await connection.close()
            }
        }
        await upstream.stop()
        directory.remove()
    }

    @Test func `a name that no certificate has can be refused`() async throws {
        let directory = try TestDirectory()
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.tls = try Self.tls(directory, [("one", TestCertificates.one, ["one.example"])])
        configuration.tls?.refusesUnknownNames = true
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            for name in ["other.example", nil] {
                let client = TLSClient()
                let connection = try await client.connect(proxy, name: name)
                try await connection.untilEnd()
                #expect(client.shown.all.isEmpty)
            }
            let connection = try await TLSClient().connect(proxy, name: "one.example")
            try await connection.send(get())
            #expect(try await connection.response().status == 200)
            await connection.close()
        }
        await upstream.stop()
        directory.remove()
    }

    @Test func `plain HTTP is told so in plain HTTP, and goes nowhere`() async throws {
        let directory = try TestDirectory()
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.tls = try Self.tls(directory, [("one", TestCertificates.one, [])])
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await proxy.connect()
            try await connection.send(get())
            let response = try await connection.response()
            #expect(response.status == 400)
            #expect(response.field("Connection") == "close")
            await connection.close()
            #expect(upstream.requests.isEmpty)
        }
        await upstream.stop()
        directory.remove()
    }

    @Test func `a response that breaks off does not end with TLS' goodbye where that would make it whole`() async throws {
        let directory = try TestDirectory()
        let upstream = try await ScriptedUpstream.start { _ in
            [.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")]
        }
        var configuration = configuration(upstream.port)
        configuration.tls = try Self.tls(directory, [("one", TestCertificates.one, [])])
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await TLSClient().connect(proxy)
            try await connection.send(get(version: "HTTP/1.0"))
            try await connection.until("\r\n\r\nabc")
            try await upstream.close()
            #expect(try await connection.untilEnd() == .reset)
        }
        await upstream.stop()
        directory.remove()
    }

    @Test func `versions outside the bounds are refused`() async throws {
        let directory = try TestDirectory()
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.tls = try Self.tls(directory, [("one", TestCertificates.one, [])])
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let connection = try await TLSClient().connect(proxy, versions: .tls12 ... .tls12)
            try await connection.send(get())
            #expect(try await connection.response().status == 200)
            await connection.close()
        }
        configuration.tls?.minimumVersion = .tls13
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            let client = TLSClient()
            let connection = try await client.connect(proxy, versions: .tls12 ... .tls12)
            try await connection.untilEnd()
            #expect(client.agreed.all.isEmpty)
        }
        await upstream.stop()
        directory.remove()
    }

    @Test func `a handshake that does not come, or does not go on, ends in time`() async throws {
        let directory = try TestDirectory()
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.tls = try Self.tls(directory, [("one", TestCertificates.one, []), ("two", TestCertificates.two, ["two.example"])])
        configuration.tls?.handshakeTimeout = .seconds(10)
        configuration.timeouts.clientHead = .seconds(100)
        let time = ManualTime()
        try await withProxy(configuration, time: time.source) { (proxy: RunningProxy) async throws in
            let silent = try await proxy.connect()
            let begun = try await proxy.connect()
            try await begun.send("\u{16}\u{3}\u{1}\u{2}")
            let done = try await TLSClient().connect(proxy)
            try await done.send(get())
            #expect(try await done.response().status == 200)
            await time.advance(by: .seconds(11))
            #expect(try await silent.untilEnd() == .closed)
            #expect(try await begun.untilEnd() == .closed)
            #expect(silent.received.isEmpty)
            try await done.send(get())
            #expect(try await done.response().status == 200)
            await done.close()
        }
        await upstream.stop()
        directory.remove()
    }
}

@Suite struct CertificateReloadTests {
    /// Runs a proxy whose certificate is `one`, in a directory that a test may change.
    static func run(
        interval: Duration?, _ body: @Sendable (ReverseProxy, RunningProxy, TestDirectory) async throws -> Void
    ) async throws {
        let directory = try TestDirectory()
        let upstream = try await ScriptedUpstream.start()
        var configuration = configuration(upstream.port)
        configuration.tls = try TLSTests.tls(directory, [("site", TestCertificates.one, [])])
        configuration.tls?.reloadInterval = interval
        try await withProxy(configuration) { (proxy: RunningProxy) async throws in
            try await body(proxy.proxy, proxy, directory)
        }
        await upstream.stop()
        directory.remove()
    }

    static func shown(_ proxy: RunningProxy) async throws -> [UInt8]? {
        let client = TLSClient()
        let connection = try await client.connect(proxy)
        try await connection.send(get())
        #expect(try await connection.response().status == 200)
        await connection.close()
        return client.shown.all.first
    }

    @Test func `new files are shown to new connections, and the old ones go on`() async throws {
        try await Self.run(interval: nil) { reverse, proxy, directory in
            let open = try await TLSClient().connect(proxy)
            try await open.send(get())
            #expect(try await open.response().status == 200)
            try directory.write(TestCertificates.two, as: "site")
            #expect(try await Self.shown(proxy) == TestCertificates.one.der)
            try await reverse.reloadCertificates()
            #expect(try await Self.shown(proxy) == TestCertificates.two.der)
            try await open.send(get())
            #expect(try await open.response().status == 200)
            await open.close()
        }
    }

    @Test func `files that cannot be used are an error with the file's name, and the old ones stay`() async throws {
        try await Self.run(interval: nil) { reverse, proxy, directory in
            let secret = TestCertificates.two.key.split(separator: "\n")[1]
            for (name, content) in [
                ("site.pem", "no certificate"), ("site.pem", ""), ("site.key", TestCertificates.two.key), ("site.key", "-----BEGIN"),
            ] {
                try directory.write(TestCertificates.one, as: "site")
                try directory.write(name, content)
                let error = await #expect(throws: ProxyError.self) { try await reverse.reloadCertificates() }
                #expect(error?.code == .invalidCertificate)
                #expect(error?.place == directory(name) || error?.place == directory("site.key"))
                #expect(try await Self.shown(proxy) == TestCertificates.one.der)
            }
            #expect(proxy.log.all.contains { $0.hasPrefix("error ") && $0.contains("site.key") })
            #expect(!proxy.log.all.contains { $0.contains(secret) })
        }
    }

    @Test func `files that change are noticed; broken ones are logged once and left out`() async throws {
        try await Self.run(interval: .milliseconds(10)) { _, proxy, directory in
            try directory.write(TestCertificates.two.chain.isEmpty ? "" : "site.pem", "broken")
            try await eventually("the broken file is noticed") { proxy.log.all.contains { $0.contains("the old ones stay") } }
            #expect(try await Self.shown(proxy) == TestCertificates.one.der)
            try directory.write("site.key", TestCertificates.two.key)
            try directory.write("site.pem", TestCertificates.two.chain)
            try await eventually("the new files are shown") { try await Self.shown(proxy) == TestCertificates.two.der }
        }
    }

    @Test func `a reading that takes long does not put back what a later one has replaced`() async throws {
        let directory = try TestDirectory()
        try directory.write(TestCertificates.one, as: "site")
        let store = CertificateStore(ProxyTLS(chainFile: directory("site.pem"), keyFile: directory("site.key")))
        try store.load()
        // A pipe holds the first reading up, in the middle of the file.
        try FileManager.default.moveItem(atPath: directory("site.pem"), toPath: directory("old.pem"))
        #expect(mkfifo(directory("site.pem"), 0o600) == 0)
        async let slow: Void = NIOThreadPool.singleton.runIfActive { try store.load() }
        let pipe = try await eventually("the pipe is read") {
            let descriptor = open(directory("site.pem"), O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            return descriptor >= 0 ? FileHandle(fileDescriptor: descriptor, closeOnDealloc: true) : nil
        }
        try FileManager.default.moveItem(atPath: directory("site.pem"), toPath: directory("pipe"))
        try directory.write(TestCertificates.two, as: "site")
        try store.load()
        let context = try #require(store.context(for: nil))
        try directory.write("site.key", TestCertificates.one.key)
        try pipe.write(contentsOf: Data(TestCertificates.one.chain.utf8))
        try pipe.close()
        try await slow
        #expect(store.context(for: nil) === context)
        directory.remove()
    }

    @Test func `a proxy whose files cannot be used does not start`() async throws {
        let directory = try TestDirectory()
        try directory.write(TestCertificates.one, as: "one")
        try directory.write(TestCertificates.two, as: "two")
        for (chain, key, place) in [
            ("none.pem", "one.key", "none.pem"), ("one.pem", "none.key", "none.key"), ("one.pem", "two.key", "two.key"),
        ] {
            var configuration = configuration(1)
            configuration.tls = ProxyTLS(chainFile: directory(chain), keyFile: directory(key))
            let proxy = try ReverseProxy(configuration)
            let error = await #expect(throws: ProxyError.self) { try await proxy.run() }
            #expect(error?.code == .invalidCertificate)
            #expect(error?.place == directory(place))
        }
        directory.remove()
    }

    @Test func `settings that cannot work are named`() throws {
        func place(_ tls: ProxyTLS) -> String? {
            var configuration = configuration(1)
            configuration.tls = tls
            return #expect(throws: ProxyError.self) { try ReverseProxy(configuration) }?.place
        }
        var reversed = ProxyTLS(chainFile: "a", keyFile: "b")
        reversed.minimumVersion = .tls13
        reversed.maximumVersion = .tls12
        #expect(place(ProxyTLS(certificates: [])) == "tls.certificates")
        #expect(place(ProxyTLS(chainFile: "", keyFile: "b")) == "tls.chainFile")
        #expect(place(ProxyTLS(chainFile: "a", keyFile: "b\0")) == "tls.keyFile")
        #expect(place(ProxyTLS(certificates: [.init(chainFile: "a", keyFile: "b", serverNames: ["*"])])) == "tls.serverNames")
        #expect(place(reversed) == "tls.minimumVersion")
    }

    @Test func `an exact name comes before a wildcard, a longer wildcard before a shorter one`() {
        let names = ServerNames([
            (["*.example.com"], 1), (["*.a.example.com"], 2), (["b.example.com"], 3), ([], 4), (["b.example.com"], 5),
        ])
        for (name, value) in [
            ("x.example.com", 1), ("x.y.example.com", 1), ("x.a.example.com", 2), ("a.example.com", 1), ("B.Example.com.", 3),
            ("example.com", 4), ("", 4), (".example.com", 4),
        ] {
            #expect(names.value(for: name, refusesUnknown: false) == value, "\(name)")
        }
        #expect(names.value(for: nil, refusesUnknown: true) == 4)
        #expect(names.value(for: "example.com", refusesUnknown: true) == nil)
    }
}
