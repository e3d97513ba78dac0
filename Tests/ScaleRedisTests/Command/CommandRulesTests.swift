import Testing

@testable import ScaleRedis

@Suite struct CommandRulesTests {
    @Test(arguments: [
        RedisCommand("BLPOP", ["k", 0]), RedisCommand("brpop", ["k", 0]), RedisCommand("BLMOVE"), RedisCommand("BLMPOP"),
        RedisCommand("BRPOPLPUSH"), RedisCommand("BZPOPMIN"), RedisCommand("BZPOPMAX"), RedisCommand("BZMPOP"), RedisCommand("WAIT"),
        RedisCommand("WATCH", ["k"]), RedisCommand("MULTI"), RedisCommand("EXEC"), RedisCommand("DISCARD"), RedisCommand("SELECT", [1]),
        RedisCommand("XREAD", ["block", 0, "STREAMS", "s", "$"]),
        RedisCommand("XREADGROUP", ["GROUP", "g", "c", .init(Array("BLOCK".utf8)), 1]),
    ])
    func `what blocks or leaves state behind needs a connection of one's own`(command: RedisCommand) throws {
        #expect { try CommandRules.check(command, isExclusive: false) } throws: { error in
            (error as? RedisError)?.code == .invalidCommand && (error as? RedisError)?.command == command.name
        }
        try CommandRules.check(command, isExclusive: true)
    }

    @Test(arguments: [
        RedisCommand("SUBSCRIBE", ["c"]), RedisCommand("psubscribe", ["c"]), RedisCommand("MONITOR"), RedisCommand("HELLO", [3]),
        RedisCommand("AUTH", ["p"]), RedisCommand("CLIENT", ["reply", "OFF"]), RedisCommand("QUIT"), RedisCommand("RESET"),
        RedisCommand("SYNC"), RedisCommand("REPLCONF"), RedisCommand("SCRIPT", ["debug", "YES"]), RedisCommand(""),
    ])
    func `what breaks the order of replies is refused everywhere`(command: RedisCommand) {
        for isExclusive in [false, true] {
            #expect { try CommandRules.check(command, isExclusive: isExclusive) } throws: { error in
                (error as? RedisError)?.code == .invalidCommand && (error as? RedisError)?.outcome == .notExecuted
            }
        }
    }

    @Test func `an argument, a command and a batch have their limits`() throws {
        let largest = RedisArgument([UInt8](repeating: 0, count: CommandRules.maximumArgumentBytes))
        try CommandRules.check(RedisCommand("SET", ["k", largest]), isExclusive: false)
        let tooLong = RedisArgument([UInt8](repeating: 0, count: CommandRules.maximumArgumentBytes + 1))
        #expect(throws: RedisError.self) { try CommandRules.check(RedisCommand("SET", ["k", tooLong]), isExclusive: false) }
        #expect(throws: RedisError.self) { try CommandRules.check(RedisCommand("SET", [largest, largest]), isExclusive: false) }
        let one = RedisCommand("SET", ["k", largest])
        #expect(throws: RedisError.self) { try CommandRules.check([one, one], isExclusive: false) }
    }

    @Test(arguments: [
        RedisCommand("GET", ["k"]), RedisCommand("XREAD", ["STREAMS", "s", "0"]), RedisCommand("CLIENT", ["TRACKING", "ON"]),
        RedisCommand("CLIENT"), RedisCommand("no-such-command"),
    ])
    func `everything else may be sent`(command: RedisCommand) throws {
        try CommandRules.check(command, isExclusive: false)
    }
}
