import ScaleRedis

/// The verbs that need more than one command at the server, each one atomic script.
///
/// Offsets are those of `RecordBytes`. Every script that may write ends with a read of the key, so that a connection that tracks keys hears
/// of the next foreign write. Where a script returns numbers beyond 2^53 it returns text, since Lua's numbers are doubles.
enum RedisCacheScripts {
    private static let shared = """
        local k = KEYS[1]
        local none = string.rep('\\0', 16)
        local function clock() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end
        local function isRecord(head) return #head >= 77 and string.sub(head, 1, 3) == 'SK\\1' end
        local function isEmpty(head) return isRecord(head) and string.byte(head, 4) % 2 == 1 end
        local function put(value, life) if life == '' then redis.call('SET', k, value) else redis.call('SET', k, value, 'PX', life) end end
        local function done(answer) redis.call('GETRANGE', k, 0, 0) return answer end
        local function plant(head, token, lease, empty)
          local mark = token .. struct.pack('>I8', clock() + lease)
          if isRecord(head) then
            redis.call('SETRANGE', k, 20, mark)
            local left = redis.call('PTTL', k)
            if left >= 0 and left < lease then redis.call('PEXPIRE', k, lease) end
          else
            redis.call('SET', k, string.sub(empty, 1, 20) .. mark .. string.sub(empty, 45), 'PX', lease)
          end
        end

        """

    /// ARGV: bytes seen, token, lease in ms, an empty record, the longest lease in ms.
    static let begin = RedisScript(
        shared + """
            local head = redis.call('GETRANGE', k, 0, 76)
            if string.sub(head, 1, 20) ~= ARGV[1] then return done({'changed'}) end
            if isRecord(head) then
              local holder = string.sub(head, 21, 36)
              local left = struct.unpack('>I8', head, 37) - clock()
              if holder ~= none and holder ~= ARGV[2] and left > 0 and left <= tonumber(ARGV[5]) then
                return done({'held', holder, left})
              end
            end
            plant(head, ARGV[2], tonumber(ARGV[3]), ARGV[4])
            return done({'granted'})
            """)

    /// ARGV: token, lease in ms, an empty record.
    static let seize = RedisScript(
        shared + """
            plant(redis.call('GETRANGE', k, 0, 76), ARGV[1], tonumber(ARGV[2]), ARGV[3])
            return done(1)
            """)

    /// ARGV: token, record, life in ms or nothing.
    static let commit = RedisScript(
        shared + """
            local head = redis.call('GETRANGE', k, 0, 76)
            if not isRecord(head) or string.sub(head, 21, 36) ~= ARGV[1] then return done(0) end
            put(ARGV[2], ARGV[3])
            return done(1)
            """)

    /// ARGV: token.
    static let abandon = RedisScript(
        shared + """
            local head = redis.call('GETRANGE', k, 0, 76)
            if isRecord(head) and string.sub(head, 21, 36) == ARGV[1] then
              if isEmpty(head) then redis.call('DEL', k) else redis.call('SETRANGE', k, 20, none) end
            end
            return done(1)
            """)

    /// KEYS: the keys to remove. For each 1 where a value or counter was.
    static let remove = RedisScript(
        """
        local found = {}
        for i, k in ipairs(KEYS) do
          local head = redis.call('GETRANGE', k, 0, 76)
          local empty = #head >= 77 and string.sub(head, 1, 3) == 'SK\\1' and string.byte(head, 4) % 2 == 1
          found[i] = (head ~= '' and not empty) and 1 or 0
          redis.call('UNLINK', k)
        end
        for _, k in ipairs(KEYS) do redis.call('GETRANGE', k, 0, 0) end
        return found
        """)

    /// ARGV: the new nonce.
    static let expire = RedisScript(
        shared + """
            local head = redis.call('GETRANGE', k, 0, 76)
            if not isRecord(head) then return done(0) end
            if isEmpty(head) then redis.call('DEL', k) return done(0) end
            redis.call('SETRANGE', k, 4, ARGV[1] .. none .. string.rep('\\0', 16))
            return done(1)
            """)

    /// ARGV: bytes seen, record, life in ms or nothing.
    static let writeSeen = RedisScript(
        shared + """
            if redis.call('GETRANGE', k, 0, 19) ~= ARGV[1] then return done(0) end
            put(ARGV[2], ARGV[3])
            return done(1)
            """)

    /// ARGV: bytes seen, fresh until and physical end as 16 bytes, life in ms or nothing.
    static let touch = RedisScript(
        shared + """
            local head = redis.call('GETRANGE', k, 0, 76)
            if head == '' or string.sub(head, 1, 20) ~= ARGV[1] then return done(0) end
            if isRecord(head) then redis.call('SETRANGE', k, 44, ARGV[2]) end
            if ARGV[3] == '' then redis.call('PERSIST', k) else redis.call('PEXPIRE', k, ARGV[3]) end
            return done(1)
            """)

    /// ARGV: amount, initial value or nothing, life in ms or nothing.
    static let increment = RedisScript(
        shared + """
            local head = redis.call('GETRANGE', k, 0, 76)
            local missing = head == '' or isEmpty(head)
            if missing then
              if ARGV[2] == '' then return done({'missing'}) end
              put(ARGV[2], ARGV[3])
            elseif isRecord(head) then
              return done({'kind'})
            end
            local answer = redis.pcall('INCRBY', k, ARGV[1])
            if type(answer) == 'table' and answer.err then
              if missing then redis.call('DEL', k) end
              if string.find(answer.err, 'overflow') then return done({'overflow'}) end
              return done({'kind'})
            end
            return done({'ok', redis.call('GET', k)})
            """)
}
