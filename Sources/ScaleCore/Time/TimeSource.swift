#if canImport(Glibc)
import Glibc
// `timespec` belongs to whichever of the two modules the compiler happens to load first.
import SwiftOverlayShims
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where a part of ScaleKit takes its time from: a monotonic reading, UTC, and sleep.
///
/// `any Clock` does not do: the readings of an existential clock cannot be subtracted, and a clock knows no UTC. Everything that
/// waits or expires takes a `TimeSource`; tests hand in `ManualTime` from ScaleTesting and move it themselves.
public struct TimeSource: Sendable {
    /// What a custom time source must provide. Readings must never go backwards.
    public protocol Backend: Sendable {
        func now() -> Instant
        func utcNow() -> UTCTime
        /// Returns at or after `deadline`; throws `CancellationError` as soon as the task is cancelled, or if it already is.
        func sleep(until deadline: Instant) async throws
    }

    private enum Base: Sendable {
        case system
        case custom(any Backend)
    }

    private let base: Base

    /// The machine's own clocks: `CLOCK_MONOTONIC` and `CLOCK_REALTIME`.
    public static let system = TimeSource(base: .system)

    private init(base: Base) {
        self.base = base
    }

    /// A time source of one's own.
    public init(_ backend: some Backend) {
        self.base = .custom(backend)
    }

    /// A time source on any clock; UTC is read from the machine when it is made and then advances with the clock.
    public init<C: Clock>(_ clock: C) where C.Duration == Duration {
        self.init(ClockBackend(clock: clock, origin: clock.now, utcOrigin: TimeSource.system.utcNow()))
    }

    /// The present on the monotonic timeline. About 25 ns for the system's.
    public func now() -> Instant {
        switch self.base {
        case .system: Instant(nanoseconds: Self.read(CLOCK_MONOTONIC))
        case .custom(let backend): backend.now()
        }
    }

    /// The present in UTC.
    public func utcNow() -> UTCTime {
        switch self.base {
        case .system: UTCTime(nanosecondsSinceEpoch: Self.read(CLOCK_REALTIME))
        case .custom(let backend): backend.utcNow()
        }
    }

    /// Suspends until `deadline`; returns at once when it has passed.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, also when the deadline has passed already.
    public func sleep(until deadline: Instant) async throws {
        switch self.base {
        case .system:
            try Task.checkCancellation()
            // In pieces of a day, since the runtime's own arithmetic on a sleep of centuries is not ours to trust; and on the clock
            // that stands still while the machine does, as `CLOCK_MONOTONIC` does on Linux.
            while case let remaining = self.now().duration(to: deadline), remaining > .zero {
                try await Task.sleep(for: min(remaining, Duration.seconds(86_400)), clock: .suspending)
            }
        case .custom(let backend):
            try await backend.sleep(until: deadline)
        }
    }

    /// Suspends for `duration` from now.
    public func sleep(for duration: Duration) async throws {
        try await self.sleep(until: self.now().advanced(by: duration))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

private struct ClockBackend<C: Clock>: TimeSource.Backend where C.Duration == Duration {
    let clock: C
    let origin: C.Instant
    let utcOrigin: UTCTime

    func now() -> Instant {
        Instant(nanoseconds: self.origin.duration(to: self.clock.now).wholeNanoseconds)
    }

    func utcNow() -> UTCTime {
        self.utcOrigin.advanced(by: self.origin.duration(to: self.clock.now))
    }

    func sleep(until deadline: Instant) async throws {
        try await self.clock.sleep(until: self.origin.advanced(by: .nanoseconds(deadline.nanoseconds)), tolerance: nil)
    }
}
