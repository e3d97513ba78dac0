import ScaleRedis

/// The verbs as scripts: each is one step on the server. `KEYS[1]` is the job's key.
///
/// Both Celery and this store write the state as a result's first member, so it is read there: a result of megabytes is not decoded to learn
/// that it is a success.
enum ResultScript {
    private static let prelude = """
        local known = redis.pcall('GET', KEYS[1])
        if not known or known.err or known == '' then known = nil end
        local state = known and string.match(known, '^{"status":%s?"([^"\\\\]+)"')

        """

    /// `ARGV`: the value; for how many seconds, 0 for ever; 1 when it is `PENDING`; a value without a state in its place that may be
    /// replaced, or nothing; the longest value in bytes that can be read. Answers 1 for "recorded", 0 for "kept what was there", or the
    /// value that stands there when it has no state in its place. One that is too long for that is kept.
    static let record = RedisScript(
        prelude + """
            if state then
                if state == 'SUCCESS' or ARGV[3] == '1' then return 0 end
            elseif known and known ~= ARGV[4] then
                if #known > tonumber(ARGV[5]) then return 0 end
                return known
            end
            if ARGV[2] == '0' then
                redis.call('SET', KEYS[1], ARGV[1])
            else
                redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
            end
            if ARGV[3] == '0' then redis.call('PUBLISH', KEYS[1], ARGV[1]) end
            return 1
            """)

    /// Removes a job that is `PENDING`.
    static let withdraw = RedisScript(
        prelude + """
            if state == 'PENDING' then return redis.call('DEL', KEYS[1]) end
            return 0
            """)
}
