import CRedisBaseline
import Harness
import ScaleRedis

/// GET through our client, by many callers on one connection, beside hiredis in C with a pipeline of the same depth.
enum RedisRows {
    private static let key = "scalekit:bench:get"
    private static let getsPerCaller = 400

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func measure(rounds: Int, server: String) async throws -> [Comparison] {
        let parts = server.split(separator: ":")
        guard parts.count == 2, let port = Int32(parts[1]) else { throw Failure(description: "--redis takes HOST:PORT") }
        let host = String(parts[0])
        let redis = try RedisClient("redis://\(server)/0")
        try await redis.set(Self.key, RedisArgument(String(repeating: "v", count: 100)))
        var comparisons: [Comparison] = []
        for callers in [256, 64] {
            let operations = callers * Self.getsPerCaller
            let pairs = try await interleaved(rounds: rounds) {
                try await CPUTime.perOperation(operations) { try await Self.get(redis, callers: callers) } * 1e6
            } theirs: {
                try await CPUTime.perOperation(operations) {
                    let failure = redis_baseline_get(host, port, Self.key, Int32(callers), Int32(Self.getsPerCaller))
                    guard failure == 0 else { throw Failure(description: "hiredis failed in step \(failure)") }
                } * 1e6
            }
            comparisons.append(
                Comparison(
                    name: "Redis GET, \(callers) callers, one connection", against: "hiredis in C, pipeline of \(callers)",
                    unit: "µs CPU", bound: .max, limit: 6, rounds: pairs))
        }
        _ = try await redis.del([Self.key])
        await redis.shutdown()
        return comparisons
    }

    private static func get(_ redis: RedisClient, callers: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    for _ in 0..<Self.getsPerCaller {
                        guard try await redis.get(Self.key)?.count == 100 else { throw Failure(description: "an unexpected value") }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
