import ScaleRedis
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct CancellationTests {
    @Test func `a cancelled caller returns at once, while the server is silent`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        try await redis.ping()
        server.freeze()
        let call = Task { try await redis.get("key") }
        try await eventually("it is in flight") { redis.writtenCount == 1 }
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
        server.thaw()
        #expect(try await redis.send(RedisCommand("ECHO", ["mine"])).string == "mine")
    }

    @Test func `a caller that is cancelled before it calls sends nothing`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let gate = Gate()
        let call = Task {
            try? await gate.pass()
            return try await redis.incr("counter")
        }
        call.cancel()
        gate.open()
        await #expect(throws: CancellationError.self) { try await call.value }
        #expect(try await redis.get("counter") == nil)
    }

    @Test func `a caller that waits for a connection is cancelled at once`() async throws {
        let server = try PrivateRedis.stopped()
        let redis = try RedisClient(server.url, configuration: .test { $0.connectTimeout = .seconds(600) })
        let call = Task { try await redis.ping() }
        try await eventually("it waits") { redis.waitingCount == 1 }
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
        #expect(redis.waitingCount == 0)
    }

    @Test func `in a storm of cancellations every reply matches its request`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test { $0.maximumInFlight = 16 })
        try await withSeed { random in
            let plans = (0..<64).map { _ in random.split() }
            try await withThrowingTaskGroup { group in
                for (caller, plan) in plans.enumerated() {
                    group.addTask {
                        var random = plan
                        for round in 0..<40 {
                            let text = "\(caller):\(round)"
                            let call = Task { () -> RedisValue in
                                switch round % 3 {
                                case 0: return try await redis.send(RedisCommand("ECHO", [.init(text)]))
                                case 1:
                                    let replies = try await redis.pipeline([
                                        RedisCommand("ECHO", ["other"]), RedisCommand("ECHO", [.init(text)]),
                                    ])
                                    return try replies[1].get()
                                default:
                                    return try await redis.transaction([RedisCommand("ECHO", [.init(text)])])[0].get()
                                }
                            }
                            if Bool.random(using: &random) {
                                for _ in 0..<Int.random(in: 0...3, using: &random) { await Task.yield() }
                                call.cancel()
                            }
                            do {
                                let reply = try await call.value
                                try expectEqual(reply.string, text)
                            } catch is CancellationError {}
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(redis.waitingCount == 0)
        try await eventually("nothing is left in flight") { redis.inFlightCount == 0 }
    }

    @Test func `a storm over a connection that is killed again and again leaves every caller with an answer`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test())
        let admin = try RedisClient(server.url, configuration: .test())
        let storm = Task {
            try await withThrowingTaskGroup { group in
                for caller in 0..<32 {
                    group.addTask {
                        for round in 0..<40 {
                            let text = "\(caller):\(round)"
                            do {
                                try expectEqual(try await redis.send(RedisCommand("ECHO", [.init(text)])).string, text)
                            } catch let error as RedisError {
                                try expectEqual(error.code, .connectionLost)
                                try expectEqual(error.outcome, .unknown)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        for _ in 0..<20 {
            _ = try? await admin.send(RedisCommand("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "yes"]))
        }
        try await storm.value
    }

    /// callers: call, some are cancelled; server: closes every connection again and again. Nobody may get another's reply.
    @Test func `in a storm of cancellations and lost connections nobody gets another's reply`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .test { $0.maximumInFlight = 8 })
        let admin = try RedisClient(server.url, configuration: .test())
        try await withSeed { random in
            let plans = (0..<32).map { _ in random.split() }
            let storm = Task {
                try await withThrowingTaskGroup { group in
                    for (caller, plan) in plans.enumerated() {
                        group.addTask {
                            var random = plan
                            for round in 0..<40 {
                                let text = "\(caller):\(round)"
                                let call = Task { try await redis.send(RedisCommand("ECHO", [.init(text)])).string }
                                if Bool.random(using: &random) {
                                    for _ in 0..<Int.random(in: 0...3, using: &random) { await Task.yield() }
                                    call.cancel()
                                }
                                do {
                                    try expectEqual(try await call.value, text)
                                } catch is CancellationError {
                                } catch let error as RedisError {
                                    try expectEqual(error.code, .connectionLost)
                                }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            for _ in 0..<20 {
                _ = try? await admin.send(RedisCommand("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "yes"]))
            }
            try await storm.value
        }
        try await eventually("nothing is left behind") { redis.inFlightCount == 0 && redis.waitingCount == 0 }
        #expect(try await redis.send(RedisCommand("ECHO", ["mine"])).string == "mine")
    }
}

/// Throws, so that it fails a test from any task.
func expectEqual<Value: Equatable>(_ value: Value, _ expected: Value, file: String = #fileID, line: Int = #line) throws {
    guard value == expected else { throw TestFailure("\(value) is not \(expected)", file: file, line: line) }
}
