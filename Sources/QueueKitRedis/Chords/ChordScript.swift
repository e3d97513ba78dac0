import ScaleRedis

/// The steps of a chord as scripts, with the keys and the rules of Celery 5.7's `celery.backends.redis`, so that workers of both languages
/// count together. Celery before 5.7 has no `.d` and no `.c`: what it reports is counted, and it takes no claim.
enum ChordScript {
    /// `KEYS`: claim, size, group. `ARGV`: the size; the shape of the results, or nothing; for how many seconds, 0 for ever.
    ///
    /// Celery's own client removes the claim here, since whoever applies a chord again means a new run. A worker that does so has got the
    /// message before the chord a second time: what is over stays over.
    static let prepare = RedisScript(
        """
        if redis.call('GET', KEYS[1]) == 'done' then return 0 end
        local function put(key, value)
            if ARGV[3] == '0' then redis.call('SET', key, value) else redis.call('SET', key, value, 'EX', ARGV[3]) end
        end
        put(KEYS[2], ARGV[1])
        if ARGV[2] ~= '' then put(KEYS[3], ARGV[2]) end
        return 1
        """)

    /// `KEYS`: parts, added, size, counted, group, claim. `ARGV`: the job's id; the part; 1 when the parts are ordered; its index; for how
    /// many seconds all is kept, 0 for ever; the claim; its milliseconds; the longest sum of parts, in bytes, that can be read.
    ///
    /// Answers `{-1}` when the chord is over; `{-2}` when the keys hold something else; `{count, size or -1}`; and with the claim
    /// `{count, size, parts, shape}`, of which the parts are false when they are too long.
    static let report = RedisScript(
        """
        local jkey, tkey, skey, dkey, gkey, ckey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
        local function kind(key) return redis.call('TYPE', key)['ok'] end
        local function isFor(key, wanted)
            local found = kind(key)
            return found == 'none' or found == wanted
        end
        if not isFor(ckey, 'string') then return {-2} end
        if redis.call('GET', ckey) == 'done' then return {-1} end
        local parts = kind(jkey)
        if parts == 'none' then parts = ARGV[3] == '1' and 'zset' or 'list' end
        if parts ~= 'zset' and parts ~= 'list' then return {-2} end
        if not (isFor(tkey, 'string') and isFor(skey, 'string') and isFor(dkey, 'set') and isFor(gkey, 'string')) then return {-2} end
        local member = ARGV[1] .. ':' .. ARGV[4]
        if redis.call('SISMEMBER', dkey, member) == 0 then
            if parts == 'zset' then redis.call('ZADD', jkey, ARGV[4], ARGV[2]) else redis.call('RPUSH', jkey, ARGV[2]) end
            redis.call('SADD', dkey, member)
        end
        if ARGV[5] ~= '0' then
            for _, key in ipairs({jkey, tkey, skey, dkey, gkey}) do redis.call('EXPIRE', key, ARGV[5]) end
        end
        local count = redis.call(parts == 'zset' and 'ZCARD' or 'LLEN', jkey)
        local size = tonumber(redis.call('GET', skey) or '')
        if not size then return {count, -1} end
        size = size + (tonumber(redis.call('GET', tkey) or '') or 0)
        if count ~= size or not redis.call('SET', ckey, ARGV[6], 'NX', 'PX', ARGV[7]) then return {count, size} end
        local values = redis.call(parts == 'zset' and 'ZRANGE' or 'LRANGE', jkey, 0, -1)
        local bytes = 0
        for _, value in ipairs(values) do bytes = bytes + #value end
        local shape = redis.call('GET', gkey) or ''
        if bytes > tonumber(ARGV[8]) or #shape > tonumber(ARGV[8]) then return {count, size, false, false} end
        return {count, size, values, shape}
        """)

    /// `KEYS`: claim, size. `ARGV`: the claim; its milliseconds. Answers 1 when it stands.
    static let renew = RedisScript(
        """
        local holder = redis.call('GET', KEYS[1])
        if holder == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
        if not holder and redis.call('EXISTS', KEYS[2]) == 1 then
            return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') and 1 or 0
        end
        return 0
        """)

    /// `KEYS`: claim, parts, added, size, counted. `ARGV`: the claim; for how many seconds late reports are known as such.
    static let finish = RedisScript(
        """
        if redis.call('GET', KEYS[1]) == ARGV[1] then
            redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
            redis.call('SET', KEYS[1], 'done', 'EX', ARGV[2])
            return 1
        end
        return 0
        """)

    /// `KEYS`: claim. `ARGV`: the claim.
    static let giveUp = RedisScript(
        """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """)
}
