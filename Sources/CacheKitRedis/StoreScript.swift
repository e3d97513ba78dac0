import ScaleRedis

/// The verbs of `CacheStore` that test before they write, each a script of its own.
///
/// Offsets are those of CacheKit's `RecordBytes`, counted from 1 as Lua counts. Every script that may write ends with a read of its key:
/// under client-side caching with `NOLOOP`, a write of one's own would otherwise leave the key untracked, and a later foreign write would
/// go unnoticed. Numbers that may exceed 2^53 travel as text or bytes, since a Lua number cannot hold them.
enum StoreScript {
    /// `[granted]`, `[changed]`, or `[held, token, ms]`.
    /// KEYS: entry. ARGV: bytes seen, token, lease in ms, an empty record with the token, the longest lease allowed in ms.
    static let begin = RedisScript(
        Self.common + """
            local front = front_of(KEYS[1])
            if string.sub(front, 1, 20) ~= ARGV[1] then
                return rearmed({'changed'})
            end
            if not is_record(front) then
                plant_empty(ARGV[4], ARGV[3])
                return rearmed({'granted'})
            end
            local holder = string.sub(front, 21, 36)
            local remaining = struct.unpack('>I8', string.sub(front, 37, 44)) - now
            if holder ~= no_token and holder ~= ARGV[2] and remaining > 0 and remaining <= tonumber(ARGV[5]) then
                return rearmed({'held', holder, string.format('%d', remaining)})
            end
            plant(ARGV[2], ARGV[3])
            return rearmed({'granted'})
            """)

    /// KEYS: entry. ARGV: token, lease in ms, an empty record with the token.
    static let seize = RedisScript(
        Self.common + """
            if is_record(front_of(KEYS[1])) then
                plant(ARGV[1], ARGV[2])
            else
                plant_empty(ARGV[3], ARGV[2])
            end
            return rearmed(1)
            """)

    /// 1 when stored, 0 when refused. KEYS: entry. ARGV: token, record, life in ms or nothing.
    static let commit = RedisScript(
        Self.common + """
            local front = front_of(KEYS[1])
            if not is_record(front) or string.sub(front, 21, 36) ~= ARGV[1] then
                return rearmed(0)
            end
            put(ARGV[2], ARGV[3])
            return rearmed(1)
            """)

    /// KEYS: entry. ARGV: token.
    static let abandon = RedisScript(
        Self.common + """
            local front = front_of(KEYS[1])
            if is_record(front) and string.sub(front, 21, 36) == ARGV[1] then
                if is_empty(front) then
                    redis.call('DEL', KEYS[1])
                else
                    end_lease(20, no_lease)
                end
            end
            return rearmed(1)
            """)

    /// For each key 1 when a value or counter was there. KEYS: entries.
    static let remove = RedisScript(
        Self.common + """
            local removed = {}
            for index, key in ipairs(KEYS) do
                local front = front_of(key)
                local was_there = redis.call('UNLINK', key)
                removed[index] = (is_record(front) and is_empty(front)) and 0 or was_there
            end
            return removed
            """)

    /// 1 when a value was there. KEYS: entry. ARGV: a new nonce.
    static let expire = RedisScript(
        Self.common + """
            local front = front_of(KEYS[1])
            if not is_record(front) then
                return rearmed(0)
            end
            if is_empty(front) then
                redis.call('DEL', KEYS[1])
                return rearmed(0)
            end
            end_lease(4, ARGV[1] .. no_lease .. string.rep('\\0', 8))
            return rearmed(1)
            """)

    /// The 8 bytes at each key, created where they are missing. KEYS: epochs and sequences. ARGV: random bytes for each.
    static let random = RedisScript(
        """
        local values = {}
        for index, key in ipairs(KEYS) do
            local value = redis.pcall('GET', key)
            if type(value) ~= 'string' or #value ~= 8 then
                value = ARGV[index]
                redis.call('SET', key, value)
                redis.call('GET', key)
            end
            values[index] = value
        end
        return values
        """)

    /// 1 when stored, 0 when changed. KEYS: entry. ARGV: bytes seen, record, life in ms or nothing.
    static let writeIfSeen = RedisScript(
        Self.common + """
            if string.sub(front_of(KEYS[1]), 1, 20) ~= ARGV[1] then
                return rearmed(0)
            end
            put(ARGV[2], ARGV[3])
            return rearmed(1)
            """)

    /// 1 when done, 0 when changed. KEYS: entry. ARGV: bytes seen, fresh until and physical end (16 bytes), life in ms or nothing.
    static let touch = RedisScript(
        Self.common + """
            local front = front_of(KEYS[1])
            if front == '' or string.sub(front, 1, 20) ~= ARGV[1] then
                return rearmed(0)
            end
            if is_record(front) then
                redis.call('SETRANGE', KEYS[1], 44, ARGV[2])
            end
            if ARGV[3] == '' then
                redis.call('PERSIST', KEYS[1])
            else
                redis.call('PEXPIRE', KEYS[1], ARGV[3])
            end
            return rearmed(1)
            """)

    /// `[ok, value]`, `[missing]`, `[overflow]` or `[kind]`. KEYS: counter. ARGV: amount, initial value or nothing, life in ms or nothing.
    static let increment = RedisScript(
        Self.common + """
            local front = front_of(KEYS[1])
            local is_new = front == ''
            if is_record(front) then
                if not is_empty(front) then
                    return rearmed({'kind'})
                end
                is_new = true
            end
            if is_new then
                if ARGV[2] == '' then
                    return rearmed({'missing'})
                end
                put(ARGV[2], ARGV[3])
            end
            local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
            if type(sum) == 'table' and sum.err then
                if is_new then
                    redis.call('DEL', KEYS[1])
                end
                if string.find(sum.err, 'overflow') then
                    return rearmed({'overflow'})
                end
                if string.find(sum.err, 'not an integer') then
                    return rearmed({'kind'})
                end
                return sum
            end
            return {'ok', redis.call('GET', KEYS[1])}
            """)

    /// What the scripts share.
    private static let common = """
        local clock = redis.call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        local no_token = string.rep('\\0', 16)
        local no_lease = string.rep('\\0', 24)
        -- The head of an entry. A key that holds another type is nothing that we could read, and is replaced.
        local function front_of(key)
            local front = redis.pcall('GETRANGE', key, 0, 43)
            if type(front) == 'string' then
                return front
            end
            if string.find(front.err, 'WRONGTYPE') then
                return ''
            end
            error(front.err)
        end
        -- Writes into a record to end its lease. A full server allows no write; then the record goes, which it does allow.
        local function end_lease(offset, bytes)
            local done = redis.pcall('SETRANGE', KEYS[1], offset, bytes)
            if type(done) == 'table' then
                redis.call('UNLINK', KEYS[1])
            end
        end
        local function is_record(front)
            return #front == 44 and string.sub(front, 1, 3) == 'SK\\1'
        end
        local function is_empty(front)
            return string.byte(front, 4) % 2 == 1
        end
        local function put(value, life)
            if life == '' then
                redis.call('SET', KEYS[1], value)
            else
                redis.call('SET', KEYS[1], value, 'PX', life)
            end
        end
        local function deadline(lease)
            return struct.pack('>I8', now + lease)
        end
        local function plant(token, lease)
            redis.call('SETRANGE', KEYS[1], 20, token .. deadline(lease))
            local life = redis.call('PTTL', KEYS[1])
            if life >= 0 and life < tonumber(lease) then
                redis.call('PEXPIRE', KEYS[1], lease)
            end
        end
        local function plant_empty(record, lease)
            redis.call('SET', KEYS[1], string.sub(record, 1, 36) .. deadline(lease) .. string.sub(record, 45), 'PX', lease)
        end
        local function rearmed(answer)
            redis.pcall('GETRANGE', KEYS[1], 0, 0)
            return answer
        end

        """
}
