import QueueKitRedis
import ScaleCore

extension Advice {
    /// The longest delay that RabbitMQ keeps: 28 queues that hold a message for a power of two seconds each, as Celery's native delayed
    /// delivery has them. `QueueKitRabbitMQ` cuts longer ones.
    static let longestRabbitMQDelay = Duration.seconds((1 << 28) - 1)
    /// RabbitMQ's `consumer_timeout`, by default: a delivery that is not acknowledged by then closes its channel, and comes again.
    static let longestRabbitMQRun = Duration.milliseconds(1_800_000)
    /// The last second of Memcached's own times, in 32 bits since 1970. `CacheKitMemcached` stores what ends later without an end; its
    /// readers still see the right one.
    static let lastMemcachedSecond = Int64(Int32.max)

    /// What follows from a life that a backend cannot keep.
    ///
    /// Fractions of seconds are none of it: records carry their exact end, and delays are rounded up.
    ///
    /// - Parameters:
    ///   - now: the time from which it would live.
    ///   - retention: how long results are known on Redis; nil for ever.
    static func on(
        _ life: Life, at now: UTCTime, retention: Duration? = RedisResultStore.Configuration().retention
    ) -> [Advice] {
        switch (life.kind, life.backend) {
        case (.entry, .memcached) where Self.endsTooLate(life.duration, after: now):
            return [
                Advice(
                    rule: .endlessOnMemcached,
                    description: "\(life.flag): Memcached cannot end \(life.name) after \(life.duration), which is beyond 2038; shorten it")
            ]
        case (.delay, .rabbitMQ):
            var advice: [Advice] = []
            if life.duration > Self.longestRabbitMQDelay {
                advice.append(
                    Advice(
                        rule: .delayIsCut,
                        description:
                            "\(life.flag): RabbitMQ keeps \(life.name) for \(Self.longestRabbitMQDelay) at most, and not for \(life.duration); shorten it"
                    ))
            }
            if let retention, life.duration > retention {
                advice.append(
                    Advice(
                        rule: .resultEndsFirst,
                        description:
                            "--results: what is known of a job ends after \(retention), before \(life.name) of \(life.duration); shorten the wait"
                    ))
            }
            return advice
        case (.run, .rabbitMQ) where life.duration >= Self.longestRabbitMQRun:
            return [
                Advice(
                    rule: .runIsInterrupted,
                    description:
                        "\(life.flag): RabbitMQ hands a job out again after its consumer_timeout, by default \(Self.longestRabbitMQRun), within \(life.name) of \(life.duration); raise it there or shorten the limit"
                )
            ]
        default:
            return []
        }
    }

    private static func endsTooLate(_ life: Duration, after now: UTCTime) -> Bool {
        let (end, overflow) = (now.millisecondsSinceEpoch / 1000).addingReportingOverflow(life.components.seconds)
        return overflow || end >= Self.lastMemcachedSecond
    }
}
