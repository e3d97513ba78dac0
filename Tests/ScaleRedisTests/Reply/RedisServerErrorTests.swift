import Testing

@testable import ScaleRedis

@Suite struct RedisServerErrorTests {
    @Test func `what the server quotes of an unknown command's arguments is dropped`() {
        let error = RedisServerError("ERR unknown command 'SETT', with args beginning with: 'key' 'secret' ")
        #expect(error.message == "ERR unknown command 'SETT'")
        #expect(error.kind == "ERR")
    }

    @Test func `other errors are kept as they are`() {
        for text in ["WRONGTYPE Operation, with reason", "", "MOVED 3999 127.0.0.1:6381", "ERR unknown option, sorry"] {
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
