import CRedisBaseline
import Harness
import Metrics
import ScaleCore
import ScaleRedis

/// GET through our client, by many callers on one connection, beside hiredis in C with a pipeline of the same depth; and what each feature
/// of ours takes of that.
enum RedisRows {
    private static let key = "scalekit:bench:get"
    private static let getsPerCaller = 400
    /// The C side is so much quicker that it needs more of them for a figure as steady.
    private static let pipelines = 4 * getsPerCaller

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func measure(rounds: Int, server: String) async throws -> [Comparison] {
        let parts = server.split(separator: ":")
        guard parts.count == 2, let port = Int32(parts[1]) else { throw Failure(description: "--redis takes HOST:PORT") }
        let url = "redis://\(server)/0"
        let redis = try RedisClient(url, configuration: Self.everything)
        try await redis.set(Self.key, RedisArgument(String(repeating: "v", count: 100)))
        var comparisons: [Comparison] = []
        for callers in [256, 64] {
            let pairs = try await interleaved(rounds: rounds) {
                try await Self.microsecondsPerGet(redis, callers: callers)
            } theirs: {
                try await CPUTime.perOperation(callers * Self.pipelines) {
                    let failure = redis_baseline_get(String(parts[0]), port, Self.key, Int32(callers), Int32(Self.pipelines))
                    guard failure == 0 else { throw Failure(description: "hiredis failed in step \(failure)") }
                } * 1e6
            }
            comparisons.append(
                Comparison(
                    name: "Redis GET, \(callers) callers, one connection", against: "hiredis in C, pipeline of \(callers)",
                    unit: "µs CPU", bound: .max, limit: 6, rounds: pairs))
        }
        comparisons += try await Self.shares(of: redis, url: url, rounds: rounds)
        _ = try await redis.del([Self.key])
        await redis.shutdown()
        return comparisons
    }

    /// The default configuration, with metrics that somebody reads.
    private static var everything: RedisConfiguration {
        var configuration = RedisConfiguration()
        configuration.metricsFactory = CountingMetrics()
        return configuration
    }

    private static func microsecondsPerGet(_ redis: RedisClient, callers: Int) async throws -> Double {
        try await Self.microsecondsPerCall(callers: callers) {
            guard try await redis.get(Self.key)?.count == 100 else { throw Failure(description: "an unexpected value") }
        }
    }

    private static func microsecondsPerCall(callers: Int, _ call: @escaping @Sendable () async throws -> Void) async throws -> Double {
        try await CPUTime.perOperation(callers * Self.getsPerCaller) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<callers {
                    group.addTask { for _ in 0..<Self.getsPerCaller { try await call() } }
                }
                try await group.waitForAll()
            }
        } * 1e6
    }
}

// MARK: - The share of each feature

extension RedisRows {
    /// What a single feature may add to a GET without it. The figures that are wanted are the medians beside it.
    private static let shareLimit = 1.5
    private static let callers = 256

    private static func shares(of redis: RedisClient, url: String, rounds: Int) async throws -> [Comparison] {
        var withoutMetrics = RedisConfiguration()
        withoutMetrics.metricsFactory = NOOPMetricsHandler.instance
        let unmeasured = try RedisClient(url, configuration: withoutMetrics)
        var withoutTime = Self.everything
        withoutTime.time = TimeSource(StandingTime())
        withoutTime.idleTimeout = nil
        let timeless = try RedisClient(url, configuration: withoutTime)
        let shares = [
            try await Self.share("cancellation", against: "less a cancellation handler alone", rounds: rounds, of: redis) {
                try await Self.microsecondsPerGet(redis, callers: Self.callers) - Self.microsecondsPerHandler()
            },
            try await Self.share("time-outs", against: "with a clock that stands still", rounds: rounds, of: redis) {
                try await Self.microsecondsPerGet(timeless, callers: Self.callers)
            },
            try await Self.share("metrics", against: "with metrics that go nowhere", rounds: rounds, of: redis) {
                try await Self.microsecondsPerGet(unmeasured, callers: Self.callers)
            },
            try await Self.share("typed reply", against: "sent by name, reply as it came", rounds: rounds, of: redis) {
                try await Self.microsecondsPerCall(callers: Self.callers) {
                    guard case .bulk(let bytes) = try await redis.send(RedisCommand("GET", [RedisArgument(Self.key)])), bytes.count == 100
                    else { throw Failure(description: "an unexpected value") }
                }
            },
        ]
        await unmeasured.shutdown()
        await timeless.shutdown()
        return shares
    }

    private static func share(
        _ feature: String, against: String, rounds: Int, of redis: RedisClient, without: () async throws -> Double
    ) async throws -> Comparison {
        let pairs = try await interleaved(rounds: rounds) {
            try await Self.microsecondsPerGet(redis, callers: Self.callers)
        } theirs: {
            try await without()
        }
        return Comparison(
            name: "Redis GET, share of \(feature)", against: against, unit: "µs CPU", bound: .max, limit: Self.shareLimit, rounds: pairs)
    }

    /// What a cancellation handler around a continuation costs, measured alone: it is part of every call and cannot be left out there.
    private static func microsecondsPerHandler() async throws -> Double {
        let with = try await Self.microsecondsPerCall(callers: Self.callers) {
            try Task.checkCancellation()
            await withTaskCancellationHandler {
                await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                    continuation.resume()
                    if Task.isCancelled { Self.wasCancelled() }
                }
            } onCancel: {
                Self.wasCancelled()
            }
        }
        let without = try await Self.microsecondsPerCall(callers: Self.callers) {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in continuation.resume() }
        }
        return with - without
    }

    @inline(never)
    private static func wasCancelled() {}
}

/// A clock that costs nothing to read, and on which no time-out ever passes.
private struct StandingTime: TimeSource.Backend {
    func now() -> Instant { Instant(nanoseconds: 0) }
    func utcNow() -> UTCTime { UTCTime(nanosecondsSinceEpoch: 0) }
    func sleep(until deadline: Instant) async throws { try await TimeSource.system.sleep(for: .seconds(86_400)) }
}
