import Foundation
import GRDB
import Testing

@testable import ProfileService

/// How passwords are kept and compared.
@Suite struct PasswordRules {
    /// Of Python's hashlib.scrypt with n = 2^14, r = 8, p = 1, the bytes 0…15 as salt, and 32 bytes wanted.
    static let vector = "scrypt$AAECAwQFBgcICQoLDA0ODw==$11kKyiyYAc8G7rp3KmncMc44YlkdllIqxOa7pq0fMaU="

    @Test func `a password is hashed with scrypt, N = 2^14, r = 8, p = 1`() async throws {
        let hash = PasswordHash(stored: Self.vector)
        #expect(try await PasswordHasher().verify("correct horse battery staple", against: hash))
        #expect(try await !PasswordHasher().verify("correct horse battery stable", against: hash))
    }

    @Test func `each hash has a salt of its own`() async throws {
        let hasher = PasswordHasher()
        let (first, second) = (try await hasher.hash("password"), try await hasher.hash("password"))
        #expect(first.salt.count == 16)
        #expect(first.salt != second.salt)
        #expect(first.hash != second.hash)
    }

    @Test func `what is stored and is no hash matches no password`() async throws {
        for stored in ["", "scrypt$", "scrypt$AAAA$", "scrypt$!$!", "bcrypt$AAAA$AAAA"] {
            #expect(try await !PasswordHasher().verify("", against: PasswordHash(stored: stored)), "\(stored)")
        }
    }

    @Test func `unknown account, wrong password and no address at all each compute one scrypt`() async throws {
        try await ServiceUnderTest.with { service async throws in
            func hashes() -> Double? { service.metrics.total(of: "password_hashes_total") }
            var count = try #require(hashes())
            for email in [Seed.email(1), "nobody@example.com", "no address", ""] {
                #expect(try await service.request("POST", "/login", #"{"email":"\#(email)","password":"wrong"}"#).status == 401)
                count += 1
                #expect(hashes() == count, "\(email)")
            }
        }
    }

    @Test func `seeded users share one password hash`() async throws {
        try await ServiceUnderTest.with(seed: 20) { service async throws in
            let hashes = try await service.demo.database.pool.read {
                try Int.fetchOne($0, sql: "SELECT count(DISTINCT password) FROM profile")
            }
            #expect(hashes == 1)
            _ = try await service.login(20)
        }
    }
}
