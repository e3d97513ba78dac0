extension RedisValue {
    /// The reply, or the server's error thrown as a ``RedisError``.
    func orThrow(_ command: String, _ address: String) throws(RedisError) -> RedisValue {
        guard case .error(let error) = self else { return self }
        throw RedisError(error, command: command, address: address)
    }

    /// The replies to a batch of `count` commands as an array. The reply to a batch of one comes as it is.
    func asBatch(of count: Int) -> RedisValue {
        count == 1 ? .array([self]) : self
    }

    /// The replies to a batch, one for each command.
    func results(for commands: [RedisCommand], _ address: String) throws(RedisError) -> [Result<RedisValue, RedisError>] {
        guard case .array(let replies) = self, replies.count == commands.count else {
            throw RedisError(code: .unexpectedReply, message: "not as many replies as commands", address: address, outcome: .unknown)
        }
        return zip(commands, replies).map { command, reply in
            do throws(RedisError) {
                return .success(try reply.orThrow(command.name, address))
            } catch {
                return .failure(error)
            }
        }
    }
}

extension RedisError {
    /// The error for an error reply. A refusal for lack of a password keeps its own code.
    init(_ error: RedisServerError, command: String?, address: String) {
        let isRefusal = error.kind == "NOAUTH" || error.kind == "WRONGPASS"
        self.init(
            code: isRefusal ? .authenticationFailed : .server, message: error.message, address: address, command: command,
            outcome: Self.mayHaveRun(command, error) ? .unknown : .notExecuted, serverError: error)
    }

    /// A script or function that fails half way has done its first half; everything else is refused whole.
    private static func mayHaveRun(_ command: String?, _ error: RedisServerError) -> Bool {
        switch command?.uppercased() {
        case "EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO":
            !["NOSCRIPT", "NOPERM", "NOAUTH", "OOM", "BUSY", "LOADING", "MISCONF", "READONLY"].contains(error.kind)
        default: false
        }
    }

    /// The same error with the name of the command that it befell.
    func naming(_ command: RedisCommand) -> RedisError {
        var error = self
        error.command = command.name
        return error
    }

    static func unexpected(_ reply: RedisValue, command: String, wanted: String) -> RedisError {
        RedisError(
            code: .unexpectedReply, message: "the reply is of type \(reply.kindName), not \(wanted)", command: command, outcome: .unknown)
    }
}
