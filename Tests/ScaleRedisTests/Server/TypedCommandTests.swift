import ScaleCore
import ScaleRedis
import TestServers
import Testing

/// Every typed command against the real server.
@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct TypedCommandTests {
    let redis: RedisClient
    let key = TestKeys()

    init() throws {
        self.redis = try RedisClient(sharedURL, configuration: .test())
    }

    @Test func `strings`() async throws {
        let name = self.key("string")
        #expect(try await self.redis.get(name) == nil)
        #expect(try await self.redis.set(name, .init([0, 13, 10, 255])))
        #expect(try await self.redis.get(name) == [0, 13, 10, 255])
        #expect(try await self.redis.set(name, "x", condition: .ifAbsent) == false)
        #expect(try await self.redis.set(self.key("none"), "x", condition: .ifPresent) == false)
        #expect(try await self.redis.set(name, "hello", expiresIn: .seconds(600), condition: .ifPresent))
        #expect(try await self.redis.set(name, "hallo", keepsExpiry: true))
        guard case .remaining = try await self.redis.timeToLive(name) else { throw RedisError(code: .server, message: "no expiry") }
        #expect(try await self.redis.getSet(name, "hello") == bytes("hallo"))
        #expect(try await self.redis.timeToLive(name) == .unlimited)
        #expect(try await self.redis.append(name, ", you") == 10)
        #expect(try await self.redis.strlen(name) == 10)
        #expect(try await self.redis.getRange(name, from: -3, through: -1) == bytes("you"))
        #expect(try await self.redis.setRange(name, at: 7, "all") == 10)
        #expect(try await self.redis.get(name, expiresIn: .seconds(600)) == bytes("hello, all"))
        #expect(try await self.redis.getDelete(name) == bytes("hello, all"))
        #expect(try await self.redis.exists(name) == false)
        #expect(try await self.redis.set(name, "") == true)
        #expect(try await self.redis.get(name) == [])
        try await self.redis.mset([(name, "1"), (self.key("b"), "2")])
        #expect(try await self.redis.mget([name, self.key("none"), self.key("b"), name]) == [[49], nil, [50], [49]])
        #expect(try await self.redis.mget([]) == [])
        #expect(try await self.redis.del(name, self.key("b"), self.key("none")) == 2)
        #expect(try await self.redis.del([]) == 0)
    }

    @Test func `counters`() async throws {
        let name = self.key("counter")
        #expect(try await self.redis.incr(name) == 1)
        #expect(try await self.redis.incr(name, by: 41) == 42)
        #expect(try await self.redis.decr(name, by: 2) == 40)
        #expect(try await self.redis.incrByFloat(name, by: 0.5) == 40.5)
        try await self.redis.set(name, .init(Int64.max))
        let overflow = await redisError { try await self.redis.incr(name) }
        #expect(overflow?.code == .server)
        #expect(overflow?.command == "INCRBY")
        #expect(overflow?.address == self.redis.address)
        try await self.redis.unlink([name])
    }

    @Test func `hashes`() async throws {
        let name = self.key("hash")
        #expect(try await self.redis.hget(name, "a") == nil)
        #expect(try await self.redis.hset(name, "a", 1))
        #expect(try await self.redis.hset(name, "a", 2) == false)
        #expect(try await self.redis.hset(name, [("b", 3), ("c", "4")]) == 2)
        #expect(try await self.redis.hsetnx(name, "a", 9) == false)
        #expect(try await self.redis.hget(name, "a") == bytes("2"))
        #expect(try await self.redis.hmget(name, ["a", "none", "c"]) == [bytes("2"), nil, bytes("4")])
        #expect(try await self.redis.hgetall(name).map { $0.field + $0.value } == [bytes("a2"), bytes("b3"), bytes("c4")])
        #expect(try await self.redis.hgetall(self.key("none")).isEmpty)
        #expect(try await self.redis.hincrby(name, "a", by: 5) == 7)
        #expect(try await self.redis.hincrbyfloat(name, "a", by: 0.25) == 7.25)
        #expect(try await self.redis.hexists(name, "b"))
        #expect(try await self.redis.hlen(name) == 3)
        #expect(try await self.redis.hkeys(name) == ["a", "b", "c"].map(bytes))
        #expect(try await self.redis.hvals(name).last == bytes("4"))
        #expect(try await self.redis.hdel(name, ["a", "none"]) == 1)
        try await self.redis.unlink([name])
    }

    @Test func `lists`() async throws {
        let (name, other) = (self.key("list"), self.key("other"))
        #expect(try await self.redis.rpush(name, ["b", "c"]) == 2)
        #expect(try await self.redis.lpush(name, ["a", "z"]) == 4)
        #expect(try await self.redis.rpush(name, []) == 4)
        #expect(try await self.redis.lrange(name) == ["z", "a", "b", "c"].map(bytes))
        #expect(try await self.redis.lindex(name, -1) == bytes("c"))
        #expect(try await self.redis.lindex(name, 9) == nil)
        try await self.redis.lset(name, 0, "y")
        #expect(await redisError { try await self.redis.lset(name, 9, "x") }?.code == .server)
        #expect(try await self.redis.lpop(name) == bytes("y"))
        #expect(try await self.redis.rpop(name) == bytes("c"))
        #expect(try await self.redis.lmove(from: name, .left, to: other, .right) == bytes("a"))
        #expect(try await self.redis.lmove(from: self.key("none"), .left, to: other, .right) == nil)
        #expect(try await self.redis.llen(other) == 1)
        try await self.redis.rpush(name, ["x", "b", "y"])
        #expect(try await self.redis.lrem(name, "b") == 2)
        try await self.redis.ltrim(name, from: 0, through: 0)
        #expect(try await self.redis.lpop(name, count: 5) == [bytes("x")])
        #expect(try await self.redis.lpop(name, count: 5) == [])
        #expect(try await self.redis.rpop(name, count: 5) == [])
        #expect(try await self.redis.lpop(name) == nil)
        try await self.redis.unlink([name, other])
    }

    @Test func `sets`() async throws {
        let (name, other) = (self.key("set"), self.key("other"))
        #expect(try await self.redis.sadd(name, ["a", "b", "c", "a"]) == 3)
        #expect(try await self.redis.sadd(name, []) == 0)
        #expect(try await self.redis.sadd(other, ["b", "d"]) == 2)
        #expect(try await self.redis.sismember(name, "a"))
        #expect(try await self.redis.smismember(name, ["a", "x", "b"]) == [true, false, true])
        #expect(try await Set(self.redis.smembers(name)) == Set(["a", "b", "c"].map(bytes)))
        #expect(try await self.redis.scard(name) == 3)
        #expect(try await self.redis.sinter([name, other]) == [bytes("b")])
        #expect(try await self.redis.sunion([name, other]).count == 4)
        #expect(try await Set(self.redis.sdiff([name, other])) == Set(["a", "c"].map(bytes)))
        #expect(try await self.redis.smove(from: name, to: other, "a"))
        #expect(try await self.redis.srem(other, ["a", "x"]) == 1)
        #expect(try await self.redis.srandmember(name, count: 9).count == 2)
        #expect(try await self.redis.spop(name) != nil)
        #expect(try await self.redis.spop(self.key("none")) == nil)
        try await self.redis.unlink([name, other])
    }

    @Test func `sorted sets`() async throws {
        let name = self.key("zset")
        #expect(try await self.redis.zadd(name, [("a", 1), ("b", 2.5), ("c", .infinity)]) == 3)
        #expect(try await self.redis.zadd(name, [("a", 5)], condition: .onlyAdd) == 0)
        #expect(try await self.redis.zadd(name, [("a", 0)], condition: .raise) == 0)
        #expect(try await self.redis.zscore(name, "a") == 1)
        #expect(try await self.redis.zscore(name, "c") == .infinity)
        #expect(try await self.redis.zscore(name, "none") == nil)
        #expect(try await self.redis.zincrby(name, by: 0.5, "a") == 1.5)
        #expect(try await self.redis.zrank(name, "b") == 1)
        #expect(try await self.redis.zrank(name, "a", descending: true) == 2)
        #expect(try await self.redis.zrank(name, "none") == nil)
        #expect(try await self.redis.zcard(name) == 3)
        #expect(try await self.redis.zcount(name, from: .exclusive(1.5), to: .inclusive(2.5)) == 1)
        #expect(try await self.redis.zrange(name, through: 0) == [RedisScoredMember(member: bytes("a"), score: 1.5)])
        #expect(try await self.redis.zrange(name, descending: true).map(\.member) == ["c", "b", "a"].map(bytes))
        #expect(try await self.redis.zrangeByScore(name, to: .exclusive(.infinity)).map(\.score) == [1.5, 2.5])
        #expect(
            try await self.redis.zrangeByScore(name, descending: true, offset: 1, limit: 1)
                == [RedisScoredMember(member: bytes("b"), score: 2.5)])
        #expect(try await self.redis.zpopmin(name) == [RedisScoredMember(member: bytes("a"), score: 1.5)])
        #expect(try await self.redis.zpopmax(name, count: 1).map(\.member) == [bytes("c")])
        #expect(try await self.redis.zremrangeByScore(name, from: .inclusive(3)) == 0)
        #expect(try await self.redis.zrem(name, ["b", "x"]) == 1)
        try await self.redis.zadd(name, [("a", 1), ("b", 2)])
        #expect(try await self.redis.zremrangeByRank(name, from: 0, through: -1) == 2)
        #expect(try await self.redis.zpopmin(name) == [])
    }

    @Test func `expiry`() async throws {
        let name = self.key("expiry")
        #expect(try await self.redis.timeToLive(name) == .absent)
        #expect(try await self.redis.expire(name, after: .seconds(1)) == false)
        try await self.redis.set(name, "x")
        #expect(try await self.redis.timeToLive(name) == .unlimited)
        #expect(try await self.redis.expire(name, after: .milliseconds(90_500)))
        guard case .remaining(let time) = try await self.redis.timeToLive(name) else { throw RedisError(code: .server, message: "none") }
        #expect(time > .seconds(60) && time <= .milliseconds(90_500))
        #expect(try await self.redis.expire(name, after: .seconds(5), condition: .ifLater) == false)
        #expect(try await self.redis.expire(name, after: .seconds(5), condition: .ifNone) == false)
        #expect(try await self.redis.expire(name, after: .seconds(200), condition: .ifSome))
        #expect(try await self.redis.persist(name))
        #expect(try await self.redis.expire(name, at: TimeSource.system.utcNow().advanced(by: .seconds(60))))
        #expect(try await self.redis.touch([name, self.key("none")]) == 1)
        #expect(try await self.redis.expire(name, after: .zero))
        #expect(try await self.redis.timeToLive(name) == .absent)
    }

    @Test func `a time below a millisecond is rounded up and not refused`() async throws {
        #expect(try await self.redis.set(self.key("short"), "x", expiresIn: .nanoseconds(1)))
        #expect(await redisError { try await self.redis.set(self.key("zero"), "x", expiresIn: .zero) }?.code == .server)
    }

    @Test func `HyperLogLog`() async throws {
        let (name, other) = (self.key("visitors"), self.key("others"))
        #expect(try await self.redis.pfadd(name, ["a", "b", "c"]))
        #expect(try await self.redis.pfadd(name, ["a"]) == false)
        #expect(try await self.redis.pfadd(other, ["c", "d"]))
        #expect(try await self.redis.pfcount(name) == 3)
        #expect(try await self.redis.pfcount([name, other]) == 4)
        try await self.redis.pfmerge(into: other, [name])
        #expect(try await self.redis.pfcount(other) == 4)
        try await self.redis.unlink([name, other])
    }

    @Test func `keys and the server`() async throws {
        let (name, other) = (self.key("key"), self.key("renamed"))
        try await self.redis.ping()
        #expect(try await self.redis.type(of: name) == nil)
        try await self.redis.sadd(name, ["a"])
        #expect(try await self.redis.type(of: name) == "set")
        try await self.redis.rename(name, to: other)
        #expect(await redisError { try await self.redis.rename(name, to: other) }?.code == .server)
        #expect(try await self.redis.exists([name, other, other]) == 2)
        #expect(try await self.redis.dbsize() >= 1)
        let info = try await self.redis.info(section: "server")
        #expect(info["redis_version"] != nil)
        #expect(info.values.allSatisfy { !$0.contains("\r") })
        #expect(try await self.redis.info().count > info.count)
        try await self.redis.unlink([other])
    }

    @Test func `any other command by name`() async throws {
        let reply = try await self.redis.send(RedisCommand("OBJECT", ["HELP"]))
        #expect(reply.array?.isEmpty == false)
        let unknown = await redisError { _ = try await self.redis.send(RedisCommand("NOSUCH", ["secret-argument"])) }
        #expect(unknown?.code == .server)
        #expect(!"\(unknown!)".contains("secret-argument"))
    }

    @Test func `a value of the wrong type is a typed error, and the client goes on`() async throws {
        let name = self.key("text")
        try await self.redis.set(name, "text", expiresIn: .seconds(600))
        let error = await redisError { _ = try await self.redis.hget(name, "field") }
        #expect(error?.serverError?.kind == "WRONGTYPE")
        #expect(try await self.redis.get(name) == bytes("text"))
    }

    @Test func `a blocking command is refused on the shared connection`() async throws {
        let error = await redisError { _ = try await self.redis.send(RedisCommand("BLPOP", [.init(self.key("x")), 0])) }
        #expect(error?.code == .invalidCommand)
    }
}
