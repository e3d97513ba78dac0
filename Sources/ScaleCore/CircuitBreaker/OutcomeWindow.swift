/// The outcomes over which a circuit breaker's failure ratio is taken: the last n calls, or the calls of the last so-much time.
struct OutcomeWindow {
    private enum Storage {
        case calls(CallRing)
        case time(TimeBuckets)
    }

    private var storage: Storage

    init(_ window: CircuitBreaker.Configuration.Window, at now: Instant) {
        switch window {
        case .calls(let count): self.storage = .calls(CallRing(capacity: count))
        case .time(let duration): self.storage = .time(TimeBuckets(window: duration))
        }
    }

    /// Adds an outcome and returns the counts, this one among them.
    mutating func record(isFailure: Bool, at now: Instant) -> (calls: Int, failures: Int) {
        switch self.storage {
        case .calls(var ring):
            self.storage = .calls(CallRing(capacity: 1))  // keeps the ring's storage unshared, so that the next line does not copy it
            ring.record(isFailure: isFailure)
            self.storage = .calls(ring)
            return (ring.calls, ring.failures)
        case .time(var buckets):
            buckets.record(isFailure: isFailure, at: now)
            self.storage = .time(buckets)
            return (buckets.calls, buckets.failures)
        }
    }
}

/// The last `capacity` outcomes, one bit each; grows with the calls, so that a large window costs nothing before it is used. O(1).
private struct CallRing {
    private let capacity: Int
    private var words: [UInt64] = []
    private var next = 0
    private(set) var calls = 0
    private(set) var failures = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
    }

    mutating func record(isFailure: Bool) {
        let (word, bit) = (self.next / 64, UInt64(1) << UInt64(self.next % 64))
        if word == self.words.count { self.words.append(0) }
        if self.calls == self.capacity {
            if self.words[word] & bit != 0 { self.failures -= 1 }
        } else {
            self.calls += 1
        }
        if isFailure {
            self.words[word] |= bit
            self.failures += 1
        } else {
            self.words[word] &= ~bit
        }
        self.next = self.next + 1 == self.capacity ? 0 : self.next + 1
    }
}

/// Ten buckets, each a tenth of the window wide; the oldest is dropped whole. O(1).
private struct TimeBuckets {
    private struct Bucket {
        var number: Int64
        var calls = 0
        var failures = 0
    }

    private static let count = 10
    private let width: Int64
    private var buckets: [Bucket] = []
    private(set) var calls = 0
    private(set) var failures = 0

    init(window: Duration) {
        self.width = max(window.wholeNanoseconds / Int64(Self.count), 1)
    }

    mutating func record(isFailure: Bool, at now: Instant) {
        // Readings of several threads may arrive in another order than they were taken: an older one counts to the newest bucket.
        let number = max(now.nanoseconds / self.width, self.buckets.last?.number ?? .min)
        let oldest = number &- Int64(Self.count) &+ 1
        while let first = self.buckets.first, first.number < oldest {
            self.calls -= first.calls
            self.failures -= first.failures
            self.buckets.removeFirst()
        }
        if self.buckets.last?.number != number { self.buckets.append(Bucket(number: number)) }
        let last = self.buckets.count - 1
        self.buckets[last].calls += 1
        self.calls += 1
        guard isFailure else { return }
        self.buckets[last].failures += 1
        self.failures += 1
    }
}
