import Metrics
import ScaleCore

/// Metrics that are kept, so that a measurement with metrics has their cost in it: a locked number for each.
final class CountingMetrics: MetricsFactory {
    private final class Number: CounterHandler, RecorderHandler, TimerHandler {
        private let value = Locked<Int64>(0)

        func increment(by amount: Int64) { self.value.withLock { $0 &+= amount } }
        func reset() { self.value.withLock { $0 = 0 } }
        func record(_ value: Int64) { self.value.withLock { $0 = value } }
        func record(_ value: Double) { self.record(Int64(exactly: value.rounded()) ?? 0) }
        func recordNanoseconds(_ duration: Int64) { self.increment(by: duration) }
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { Number() }
    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler { Number() }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { Number() }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}
