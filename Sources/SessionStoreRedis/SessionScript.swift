import ScaleRedis

/// The verbs as scripts: each is one step on the server.
///
/// `KEYS[1]` is the session. Writing scripts get the payload, where there is one, as `ARGV[1]`, and behind it idle and absolute limit in
/// milliseconds. They answer with the version, with 0 when there is no session, with -1 when it has another version. Times are the server's
/// own, in milliseconds.
///
/// A script whose first write fails (a full memory) has written nothing, and after that no write fails: so a rotation writes the new key
/// before it deletes the old one.
enum SessionScript {
    /// What all scripts need: the time; a session's version and times, or nil; how long it may live.
    private static let prelude = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        local function read(key)
            local fields = redis.pcall('HMGET', key, 'v', 'c', 'u')
            if not fields.err then
                local version, created, used = fields[1], tonumber(fields[2] or nil), tonumber(fields[3] or nil)
                if not version and not created and not used and redis.call('EXISTS', key) == 0 then return nil end
                if version and #version <= 15 and string.match(version, '^[1-9]%d*$') and created and used
                    and math.abs(created) < 2 ^ 52 and math.abs(used) < 2 ^ 52 then
                    return { version = version, created = created, used = used }
                end
            end
            redis.call('DEL', key)
            return nil
        end

        local function life(created, idle, absolute)
            return math.min(tonumber(idle), tonumber(absolute) - (now - created))
        end

        local function text(number)
            return string.format('%.0f', number)
        end

        """

    /// Answers version, age, time without use and payload.
    static let load = RedisScript(
        prelude + """
            local session = read(KEYS[1])
            if not session then return false end
            local payload = redis.call('HGET', KEYS[1], 'p')
            if not payload then redis.call('DEL', KEYS[1]) return false end
            return { session.version, now - session.created, now - session.used, payload }
            """)

    static let create = RedisScript(
        prelude + """
            if redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
            redis.call('HSET', KEYS[1], 'v', '1', 'c', text(now), 'u', text(now), 'p', ARGV[1])
            redis.call('PEXPIRE', KEYS[1], text(life(now, ARGV[2], ARGV[3])))
            return 1
            """)

    /// `ARGV[4]` is the version.
    static let save = RedisScript(
        prelude + """
            local session = read(KEYS[1])
            if not session then return 0 end
            if session.version ~= ARGV[4] then return -1 end
            local left = life(session.created, ARGV[2], ARGV[3])
            if left <= 0 then redis.call('DEL', KEYS[1]) return 0 end
            local version = tonumber(session.version) + 1
            redis.call('HSET', KEYS[1], 'v', text(version), 'u', text(now), 'p', ARGV[1])
            redis.call('PEXPIRE', KEYS[1], text(left))
            return version
            """)

    /// Has no payload: `ARGV[1]` and `ARGV[2]` are the limits. Answers 1 for "done".
    static let touch = RedisScript(
        prelude + """
            local session = read(KEYS[1])
            if not session then return 0 end
            local left = life(session.created, ARGV[1], ARGV[2])
            if left <= 0 then redis.call('DEL', KEYS[1]) return 0 end
            redis.call('HSET', KEYS[1], 'u', text(now))
            redis.call('PEXPIRE', KEYS[1], text(left))
            return 1
            """)

    /// `KEYS[2]` is where to, `ARGV[4]` the version, `ARGV[5]` 1 when the age starts anew.
    static let rotate = RedisScript(
        prelude + """
            local session = read(KEYS[1])
            if not session then return 0 end
            if session.version ~= ARGV[4] or redis.call('EXISTS', KEYS[2]) == 1 then return -1 end
            local created = session.created
            if ARGV[5] == '1' then created = now end
            local left = life(created, ARGV[2], ARGV[3])
            if left <= 0 then redis.call('DEL', KEYS[1]) return 0 end
            local version = tonumber(session.version) + 1
            redis.call('HSET', KEYS[2], 'v', text(version), 'c', text(created), 'u', text(now), 'p', ARGV[1])
            redis.call('PEXPIRE', KEYS[2], text(left))
            redis.call('DEL', KEYS[1])
            return version
            """)
}
