import Crypto
import CryptoExtras
import Foundation
public import Metrics
import NIOPosix

/// Passwords become scrypt hashes (RFC 7914), on threads of their own: one takes tens of milliseconds of a core and 16 MiB,
/// which neither an event loop nor the concurrency pool has to give.
public struct PasswordHasher: Sendable {
    static let rounds = 1 << 14
    private static let blockSize = 8
    private static let parallelism = 1
    private static let saltByteCount = 16
    private static let hashByteCount = 32

    private let threads: NIOThreadPool
    private let rounds: Int
    /// Scrypts that were computed.
    private let count: Counter

    /// As many hashes are computed at a time as the process-wide pool has threads.
    public init(metrics: any MetricsFactory = NOOPMetricsHandler.instance) {
        self.init(rounds: Self.rounds, metrics: metrics)
    }

    /// With another N, for tests of what is around the hashes.
    init(rounds: Int, metrics: any MetricsFactory) {
        self.threads = .singleton
        self.rounds = rounds
        self.count = Counter(label: "password_hashes_total", factory: metrics)
    }

    func hash(_ password: String) async throws -> PasswordHash {
        let salt = Data((0..<Self.saltByteCount).map { _ in UInt8.random(in: .min ... .max) })
        return PasswordHash(salt: salt, hash: try await self.derive(password, salt: salt))
    }

    /// Whether `password` is the one that `hash` was made of. Compares in constant time.
    func verify(_ password: String, against hash: PasswordHash) async throws -> Bool {
        let derived = try await self.derive(password, salt: hash.salt)
        return zip(derived, hash.hash).reduce(UInt8(derived.count == hash.hash.count ? 0 : 1)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private func derive(_ password: String, salt: Data) async throws -> Data {
        self.count.increment()
        return try await self.threads.runIfActive { [rounds] in
            try KDF.Scrypt.deriveKey(
                from: Data(password.utf8), salt: salt, outputByteCount: Self.hashByteCount,
                rounds: rounds, blockSize: Self.blockSize, parallelism: Self.parallelism
            ).withUnsafeBytes { Data($0) }
        }
    }
}

/// A password's scrypt hash with its salt.
struct PasswordHash: Sendable {
    let salt: Data
    let hash: Data

    /// What an unknown account's password is compared with, so that it costs the same time as a known one's.
    static let ofNobody = PasswordHash(salt: Data(repeating: 0, count: 16), hash: Data(repeating: 0, count: 32))

    init(salt: Data, hash: Data) {
        self.salt = salt
        self.hash = hash
    }

    /// From the database's form; one that is not ours matches no password.
    init(stored: String) {
        let parts = stored.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "scrypt", let salt = Data(base64Encoded: String(parts[1])),
            let hash = Data(base64Encoded: String(parts[2]))
        else {
            self = .ofNobody
            return
        }
        self.init(salt: salt, hash: hash)
    }

    var stored: String { "scrypt$\(self.salt.base64EncodedString())$\(self.hash.base64EncodedString())" }
}
