import Foundation
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: TestServers.redisTLS != nil && TestServers.redisCertificateAuthority != nil, "needs Redis with TLS: make services-up"))
struct TLSTests {
    let url = TestServers.redisTLS ?? "rediss://127.0.0.1:1"
    let authority = TestServers.redisCertificateAuthority ?? "/nonexistent"

    func trusting(_ change: (inout RedisConfiguration) -> Void = { _ in }) -> RedisConfiguration {
        .test {
            $0.tls.trustRoots = .file(self.authority)
            change(&$0)
        }
    }

    @Test func `commands go over TLS with an ACL user`() async throws {
        let redis = try RedisClient(self.url, configuration: self.trusting())
        let key = TestKeys()("tls")
        let large = [UInt8](repeating: 7, count: 1_000_000)
        try await redis.set(key, .init(large), expiresIn: .seconds(600))
        #expect(try await redis.get(key) == large)
        #expect(try await redis.send(RedisCommand("ACL", ["WHOAMI"])).string == "scalekit")
    }

    @Test func `a subscription goes over TLS, too`() async throws {
        let redis = try RedisClient(self.url, configuration: self.trusting())
        let channel = TestKeys()("channel")
        let subscription = try await redis.subscribe(channels: [channel])
        try await redis.publish("hello", to: channel)
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.payload == bytes("hello"))
    }

    @Test func `a server of an unknown authority is refused`() async throws {
        let time = ManualTime()
        let redis = try RedisClient(self.url, configuration: .test { $0.time = time.source })
        let error = try await redis.error(expiring: time, when: { $0.lastFailure?.message.contains("TLS") == true }) { try await $0.ping() }
        #expect(error?.code == .connectionFailed)
        #expect(error?.message.contains("TLS") == true)
    }

    @Test(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
    func `a certificate that names neither host nor address is refused, unless only the chain is to be checked`() async throws {
        // The shared server's certificate is for 127.0.0.1 and localhost; this server shows it at 127.0.0.2.
        let place = URL(fileURLWithPath: self.authority).deletingLastPathComponent().path
        let server = try await PrivateRedis.running(
            "--bind", "127.0.0.1", "127.0.0.2", "--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no",
            "--tls-cert-file", "\(place)/server.pem", "--tls-key-file", "\(place)/server.key", "--tls-ca-cert-file", self.authority)
        let url = "rediss://127.0.0.2:\(server.port)"
        let time = ManualTime()
        let strict = try RedisClient(url, configuration: self.trusting { $0.time = time.source })
        let refusal = try await strict.error(expiring: time, when: { $0.lastFailure?.message.contains("TLS") == true }) {
            try await $0.ping()
        }
        #expect(refusal?.code == .connectionFailed)
        #expect(refusal?.message.contains("TLS") == true, "\(refusal.map(String.init(describing:)) ?? "no error")")
        let named = try RedisClient(url, configuration: self.trusting { $0.tls.serverName = "localhost" })
        try await named.ping()
        let lax = try RedisClient(url, configuration: self.trusting { $0.tls.verification = .chainOnly })
        try await lax.ping()
        let blind = try RedisClient(url, configuration: .test { $0.tls.verification = .none })
        try await blind.ping()
    }

    @Test func `a plain client at a TLS port, and a TLS client at a plain one, get typed errors`() async throws {
        let time = ManualTime()
        let plain = try RedisClient(
            self.url.replacingOccurrences(of: "rediss://", with: "redis://"), configuration: .test { $0.time = time.source })
        let error = try await plain.error(expiring: time, when: { $0.waitingCount == 1 }) { try await $0.ping() }
        #expect(error?.code == .connectionFailed)
        guard let shared = TestServers.redis else { return }
        let encrypted = try RedisClient(
            shared.replacingOccurrences(of: "redis://", with: "rediss://"),
            configuration: self.trusting { $0.time = time.source })
        let other = try await encrypted.error(expiring: time, when: { $0.waitingCount == 1 }) { try await $0.ping() }
        #expect(other?.code == .connectionFailed)
    }
}

@Suite struct TLSConfigurationTests {
    @Test func `files that cannot be read are errors of the configuration`() async throws {
        for change in [
            { (tls: inout RedisTLS) in tls.trustRoots = .file("/nonexistent/ca.pem") },
            { (tls: inout RedisTLS) in tls.clientCertificate = .init(chainFile: "/nonexistent/a.pem", keyFile: "/nonexistent/a.key") },
            { (tls: inout RedisTLS) in tls.serverName = "127.0.0.1" },
        ] {
            var configuration = RedisConfiguration()
            change(&configuration.tls)
            #expect { _ = try RedisClient("rediss://127.0.0.1", configuration: configuration) } throws: { error in
                (error as? RedisError)?.code == .invalidConfiguration
            }
        }
    }
}
