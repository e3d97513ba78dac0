/// Which commands may go where.
///
/// The client counts replies off against commands. A command that changes how the server replies would break that count for everybody,
/// and one that blocks, or that leaves state behind on the connection, would harm the other callers of a shared connection.
enum CommandRules {
    enum Use {
        /// May be sent by anybody.
        case shared
        /// Only on a connection of one's own: it blocks, or leaves state on the connection.
        case exclusive
        /// Breaks the order of replies, or is the client's own business.
        case never(String)
    }

    /// The longest argument that a server accepts by default (`proto-max-bulk-len`).
    static let maximumArgumentBytes = 512 * 1024 * 1024

    /// The most that a command, or several written as one, may take when encoded. NIO's buffers end at 4 GiB.
    static let maximumEncodedBytes = 1024 * 1024 * 1024

    /// What is to be known about a command's name. Names that are not listed may be sent by anybody.
    private enum Rule {
        case exclusive
        case never(String)
        /// Never with this word as its first argument.
        case neverWith(String, String)
        /// Exclusive with this word among its arguments.
        case exclusiveWith(String)
    }

    private static let rules: [String: Rule] = {
        var rules: [String: Rule] = [
            "HELLO": .never("the client speaks RESP2 and signs in by its configuration"),
            "AUTH": .never("the client speaks RESP2 and signs in by its configuration"),
            "CLIENT": .neverWith("REPLY", "replies may not be switched off"),
            "SCRIPT": .neverWith("DEBUG", "the debugger speaks another protocol"),
            "XREAD": .exclusiveWith("BLOCK"),
            "XREADGROUP": .exclusiveWith("BLOCK"),
        ]
        for name in ["SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "SSUBSCRIBE", "SUNSUBSCRIBE"] {
            rules[name] = .never("use subscribe(channels:patterns:)")
        }
        for name in ["MONITOR", "SYNC", "PSYNC", "REPLCONF", "QUIT", "RESET"] {
            rules[name] = .never("it ends the exchange of commands and replies")
        }
        for name in [
            "SELECT", "WATCH", "UNWATCH", "MULTI", "EXEC", "DISCARD", "BLPOP", "BRPOP", "BLMOVE", "BLMPOP", "BRPOPLPUSH", "BZPOPMIN",
            "BZPOPMAX", "BZMPOP", "WAIT", "WAITAOF",
        ] {
            rules[name] = .exclusive
        }
        return rules
    }()

    static func use(of command: RedisCommand) -> Use {
        // Names are mostly written in capitals: one look-up, and no copy.
        let hasSmallLetters = command.name.utf8.contains { $0 >= UInt8(ascii: "a") }
        switch self.rules[hasSmallLetters ? command.name.uppercased() : command.name] {
        case nil: return .shared
        case .exclusive: return .exclusive
        case .never(let reason): return .never(reason)
        case .neverWith(let word, let reason): return self.isFirstArgument(of: command, word) ? .never(reason) : .shared
        case .exclusiveWith(let word): return command.arguments.contains { self.equals($0, word) } ? .exclusive : .shared
        }
    }

    /// Checks commands that are to be written as one.
    static func check(_ commands: [RedisCommand], isExclusive: Bool) throws(RedisError) {
        for command in commands { try self.check(command, isExclusive: isExclusive) }
        let total = commands.reduce(0) { $0 &+ $1.encodedCapacity }
        guard total <= self.maximumEncodedBytes else {
            throw RedisError(
                code: .invalidCommand,
                message: "\(commands.count) commands have \(total) bytes together, over the limit of \(self.maximumEncodedBytes)")
        }
    }

    /// Checks a command for a connection that others use, too, or for one of the caller's own.
    static func check(_ command: RedisCommand, isExclusive: Bool) throws(RedisError) {
        guard !command.name.isEmpty else { throw RedisError(code: .invalidCommand, message: "a command needs a name") }
        try self.checkSizes(of: command)
        switch self.use(of: command) {
        case .shared: return
        case .exclusive where isExclusive: return
        case .exclusive:
            throw RedisError(
                code: .invalidCommand, message: "only on a connection of one's own: use withConnection", command: command.name)
        case .never(let reason):
            throw RedisError(code: .invalidCommand, message: "cannot be sent: \(reason)", command: command.name)
        }
    }

    static func check(argumentOfBytes count: Int, command: String) throws(RedisError) {
        guard count <= self.maximumArgumentBytes else {
            throw RedisError(
                code: .invalidCommand, message: "an argument has \(count) bytes, over the limit of \(self.maximumArgumentBytes)",
                command: command)
        }
    }

    private static func checkSizes(of command: RedisCommand) throws(RedisError) {
        var total = command.name.utf8.count
        for argument in command.arguments {
            let count = argument.byteCount
            total &+= RESPEncoder.bulkCapacity(count)
            try self.check(argumentOfBytes: count, command: command.name)
        }
        guard total <= self.maximumEncodedBytes else {
            throw RedisError(
                code: .invalidCommand, message: "the command has \(total) bytes, over the limit of \(self.maximumEncodedBytes)",
                command: command.name)
        }
    }

    private static func isFirstArgument(of command: RedisCommand, _ word: String) -> Bool {
        command.arguments.first.map { self.equals($0, word) } ?? false
    }

    private static func equals(_ argument: RedisArgument, _ word: String) -> Bool {
        switch argument.storage {
        case .string(let text): text.uppercased() == word
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self).uppercased() == word
        case .integer: false
        }
    }
}
