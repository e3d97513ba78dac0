import Testing

@testable import ScaleRedis

@Suite struct RedisServerErrorTests {
    @Test(arguments: [
        ("ERR unknown command 'SETT', with args beginning with: 'key' 's3cret' ", "ERR unknown command '…'"),
        ("ERR unknown command `SETT`, with args beginning with: `s3cret`, ", "ERR unknown command `…`,"),
        ("ERR unknown subcommand 's3cret'. Try CLIENT HELP.", "ERR unknown subcommand '…'. Try CLIENT HELP."),
        ("ERR Error in ACL SETUSER modifier '<s3cret': Syntax error", "ERR Error in ACL SETUSER modifier '…': Syntax error"),
        ("ERR Error in ACL SETUSER modifier '>s3'c`r\"et': Syntax error", "ERR Error in ACL SETUSER modifier '…': Syntax error"),
        ("NOGROUP No such key 's3cret' or consumer group 's3cret' in XREADGROUP", "NOGROUP No such key '…' in XREADGROUP"),
        ("ERR value \"s3cret\" of option 's3cret' isn't valid", "ERR value \"…\" of option '…' isn't valid"),
        ("ERR can't take 's3cret'", "ERR can't take '…'"),
        ("ERR the user's value='s3cret't'", "ERR the user's value='…'"),
        ("ERR cut off: 's3cret", "ERR cut off: '…"),
        ("ERR a word's3cret' in the middle", "ERR a word'…' in the middle"),
    ])
    func `what the server quotes is dropped, whatever it holds`(text: String, message: String) {
        let error = RedisServerError(text)
        #expect(error.message == message)
        #expect(error.kind == text.prefix { $0 != " " })
        #expect(!"\(RedisError(error, command: "X", address: "host:1"))".contains("s3cret"))
    }

    @Test func `errors without quotations are kept as they are, with the word that says their kind`() {
        for text in ["WRONGTYPE Operation, with reason", "", "MOVED 3999 127.0.0.1:6381", "ERR unknown option, sorry", "ERR can't be"] {
            #expect(RedisServerError(text).message == text)
        }
        #expect(RedisServerError("MOVED 3999 127.0.0.1:6381").kind == "MOVED")
        #expect(RedisServerError("").kind == "")
    }

    @Test func `an error says what failed, where, and whether it may have happened`() {
        let error = RedisError(
            code: .timeout, message: "no reply within 2.0 seconds", address: "cache-1:6379", command: "GET", outcome: .unknown)
        let text = "\(error)"
        for part in ["timeout", "no reply within 2.0 seconds", "cache-1:6379", "GET", "may have been executed"] {
            #expect(text.contains(part))
        }
    }

    @Test func `a script that fails half way may have done its first half, and nothing else may`() {
        func outcome(_ command: String, _ text: String) -> RedisError.Outcome {
            RedisError(RedisServerError(text), command: command, address: "").outcome
        }
        #expect(outcome("EVALSHA", "ERR user_script:1: boom") == .unknown)
        #expect(outcome("eval", "WRONGTYPE Operation") == .unknown)
        #expect(outcome("EVALSHA", "NOSCRIPT No matching script.") == .notExecuted)
        #expect(outcome("INCR", "WRONGTYPE Operation") == .notExecuted)
    }
}
