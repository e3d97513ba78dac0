import Foundation
import PrivateServers
import ScaleRedis
import ScaleTesting
import Testing

@testable import ProfileService

/// What two instances know together, on one Redis.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct SharedStoreRules {
    typealias Way = ServiceUnderTest.Way

    private static func with(
        seed: Int = 3, rounds: Int = PasswordHasher.rounds, _ body: @escaping @Sendable (ServiceUnderTest, RedisClient) async throws -> Void
    ) async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url)
        try await ServiceUnderTest.with(seed: seed, on: .steadyRedis(cache: server.url, sessions: server.url), rounds: rounds) {
            service async throws in
            try await body(service, redis)
        }
        await redis.shutdown()
    }

    private static func login(_ user: Int, password: String) -> String {
        #"{"email":"\#(Seed.email(user))","password":"\#(password)"}"#
    }

    // MARK: Cache

    @Test func `after the answer to a PUT no request on any instance gets the older profile or list`() async throws {
        try await Self.with { service, _ async throws in
            let cookie = try await service.login(1)
            for round in 0..<20 {
                let name = "Round \(round)"
                let put = try await service.request(
                    "PUT", "/profiles/1", #"{"name":"\#(name)","bio":""}"#, cookie: cookie, onInstance: round % 2)
                #expect(put.status == 200)
                for instance in 0..<2 {
                    #expect(try await service.list(onInstance: instance).profiles[0].name == name)
                    #expect(try await service.request("GET", "/profiles/1", onInstance: instance).json()["name"] as? String == name)
                }
            }
        }
    }

    @Test func `readers of a cold list on two instances cause one query`() async throws {
        try await Self.with { service, _ async throws in
            let lists = try await withThrowingTaskGroup(of: [Profile].self) { group in
                for reader in 0..<40 { group.addTask { try await service.list(onInstance: reader % 2).profiles } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(lists.allSatisfy { $0 == lists[0] && $0.count == 3 })
            #expect(service.metrics.total(of: "database_queries_total") == 1)
        }
    }

    @Test func `an empty list is a hit the second time, on the other instance too`() async throws {
        try await Self.with(seed: 0) { service, _ async throws in
            #expect(try await service.list(onInstance: 0).outcome == "miss")
            let second = try await service.list(onInstance: 1)
            #expect(second.outcome == "hit")
            #expect(second.profiles.isEmpty)
        }
    }

    // MARK: Sessions

    @Test func `logout ends this session on every instance, and the user's other sessions stay`() async throws {
        try await Self.with { service, _ async throws in
            let here = try await service.login(1)
            let elsewhere = try await service.login(1)
            #expect(try await service.request("POST", "/logout", cookie: here, onInstance: 1).status == 204)
            for instance in 0..<2 {
                #expect(try await service.request("GET", "/me", cookie: here, onInstance: instance).status == 401)
                #expect(try await service.request("GET", "/me", cookie: elsewhere, onInstance: instance).status == 200)
            }
        }
    }

    // MARK: Login throttle

    @Test func `failed logins are counted for all instances, by the store's clock`() async throws {
        try await Self.with { service, redis async throws in
            for attempt in 0..<10 {
                let answer = try await service.request(
                    "POST", "/login", Self.login(1, password: "wrong"), headers: ["X-Forwarded-For: 10.0.0.\(attempt)"],
                    onInstance: attempt % 2)
                #expect(answer.status == 401)
                // Ten scrypts may take a busy machine the minute after which the first failure counts no more.
                try await Self.renewFailures(on: redis)
            }
            for instance in 0..<2 {
                let refused = try await service.request("POST", "/login", Self.login(1, password: Seed.password), onInstance: instance)
                #expect(refused.status == 429)
                #expect((1...60).contains(try #require(refused.header("retry-after").flatMap { Int($0) })))
                #expect(refused.header("set-cookie") == nil)
            }
            _ = try await service.login(2)

            // One sorted set, which is gone by itself a minute after the last failure; it does not tell whose it is.
            let keys = try await redis.send(RedisCommand("KEYS", ["*login-failures*"]))
            guard case .array(let found) = keys, case .bulk(let key)? = found.first, found.count == 1 else {
                throw TestFailure("one key expected, got \(keys)")
            }
            let name = RedisArgument(key)
            guard case .integer(let life) = try await redis.send(RedisCommand("PTTL", [name])) else { throw TestFailure("no life") }
            #expect((1...60_000).contains(life))

            // As if a minute had passed: all scores are a minute less.
            let age = "for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], -60000, m) end"
            _ = try await redis.send(RedisCommand("EVAL", [RedisArgument(age), "1", name]))
            _ = try await service.login(1)
        }
    }

    /// As if all had failed just now.
    private static func renewFailures(on redis: RedisClient) async throws {
        let script = """
            local time = redis.call('TIME')
            for _, key in ipairs(redis.call('KEYS', '*login-failures*')) do
                for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
                    redis.call('ZADD', key, time[1] * 1000 + math.floor(time[2] / 1000), member)
                end
            end
            """
        _ = try await redis.send(RedisCommand("EVAL", [RedisArgument(script), "0"]))
    }

    @Test func `logins that fail at the same time on two instances are all counted`() async throws {
        // Cheap hashes: the first of them is to be less than a minute old when the last one is there.
        try await Self.with(rounds: 2) { service, _ async throws in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for attempt in 0..<20 {
                    group.addTask {
                        try await service.request("POST", "/login", Self.login(1, password: "wrong"), onInstance: attempt % 2).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 401 } == 10)
            #expect(statuses.count { $0 == 429 } == 10)
        }
    }

    // MARK: Analytics

    @Test func `views are counted in a sorted set and visitors in a HyperLogLog, for all instances`() async throws {
        try await Self.with(seed: 12) { service, redis async throws in
            for id in 1...12 {
                for view in 0..<(id == 5 ? 3 : 1) { _ = try await service.request("GET", "/profiles/\(id)", onInstance: view % 2) }
            }
            for instance in 0..<2 {
                let answer = try await service.request("GET", "/analytics", onInstance: instance)
                let report = try JSONDecoder().decode(AnalyticsReport.self, from: Data(answer.body))
                #expect(report.views.count == 10)
                #expect(report.views.first == .init(id: 5, views: 3))
                #expect(report.visitors == 1)
            }
            guard case .status(let type) = try await redis.send(RedisCommand("TYPE", ["profiles:views"])) else {
                throw TestFailure("no views in Redis")
            }
            #expect(type == "zset")
            #expect(try await redis.pfcount("profiles:visitors") == 1)
        }
    }

    #if os(Linux)  // where all of 127.0.0.0/8 is loopback
    @Test(arguments: Way.allCases) func `a visitor is a distinct client address`(way: Way) async throws {
        try await Self.with { service, _ async throws in
            for address in ["127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.3"] {
                #expect(try await service.request("GET", "/profiles/1", via: way, from: address).status == 200)
            }
            #expect(try await service.request("GET", "/analytics", via: way).json()["visitors"] as? Int == 3)
        }
    }
    #endif
}
