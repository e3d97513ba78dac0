import Crypto
import ScaleRedis

/// The login throttle of several instances: failures are counted in Redis, by Redis' own clock.
struct RedisLoginThrottle: LoginThrottle {
    let redis: RedisClient
    let keyPrefix: String

    func refusal(of account: String) async throws -> Duration? {
        try await self.run(Self.refusalScript, account)
    }

    func recordFailure(of account: String) async throws -> Duration? {
        try await self.run(Self.recordScript, account)
    }

    private func run(_ script: RedisScript, _ account: String) async throws -> Duration? {
        // The account's name is hashed: whoever reads the keys learns no address.
        let digest = SHA256.hash(data: Array(account.utf8)).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        let window = LoginThrottlePolicy.window.components.seconds * 1000
        let reply = try await self.redis.evaluate(
            script, keys: ["\(self.keyPrefix):login-failures:\(digest)"],
            arguments: [.init(LoginThrottlePolicy.failures), .init(window)])
        guard case .integer(let milliseconds) = reply, milliseconds > 0 else { return nil }
        return .milliseconds(milliseconds)
    }

    /// A sorted set of failures by their time in ms; the answer is how long logins are still refused, or 0.
    private static let refusal = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local window = tonumber(ARGV[2])
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
        if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
            local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
            return math.max(1, oldest[2] + window - now)
        end
        """

    private static let refusalScript = RedisScript(Self.refusal + "\nreturn 0")

    private static let recordScript = RedisScript(
        Self.refusal + """

            redis.call('ZADD', KEYS[1], now, now .. ':' .. time[2] .. ':' .. redis.call('ZCARD', KEYS[1]))
            redis.call('PEXPIRE', KEYS[1], window)
            return 0
            """)
}
