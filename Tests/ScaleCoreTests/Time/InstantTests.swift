import ScaleCore
import Testing

struct InstantTests {
    @Test func `an instant far away saturates and does not trap`() {
        #expect(Instant(nanoseconds: 1).advanced(by: .seconds(Int64.max)) == .distantFuture)
        #expect(Instant(nanoseconds: -1).advanced(by: .seconds(Int64.min)) == Instant(nanoseconds: .min))
        #expect(Instant.distantFuture.advanced(by: .nanoseconds(-1)) == Instant(nanoseconds: .max - 1))
        #expect(Instant.distantFuture.advanced(by: .nanoseconds(1)) == .distantFuture)
    }

    @Test func `the duration between the ends of the timeline is exact`() {
        let whole = Instant(nanoseconds: .min).duration(to: .distantFuture)
        #expect(whole == .nanoseconds(Int64.max) + .nanoseconds(Int64.max) + .nanoseconds(1))
        #expect(Instant(nanoseconds: 5).duration(to: Instant(nanoseconds: 2)) == .nanoseconds(-3))
    }

    @Test func `milliseconds since 1970 round down on both sides of it`() {
        #expect(UTCTime(nanosecondsSinceEpoch: 1_999_999).millisecondsSinceEpoch == 1)
        #expect(UTCTime(nanosecondsSinceEpoch: -1).millisecondsSinceEpoch == -1)
        #expect(UTCTime(nanosecondsSinceEpoch: -1_000_000).millisecondsSinceEpoch == -1)
        #expect(UTCTime(nanosecondsSinceEpoch: -1_000_001).millisecondsSinceEpoch == -2)
    }

    @Test func `a UTC time beyond the year 2262 saturates`() {
        #expect(UTCTime(millisecondsSinceEpoch: .max).nanosecondsSinceEpoch == .max)
        #expect(UTCTime(millisecondsSinceEpoch: .min).nanosecondsSinceEpoch == .min)
        #expect(UTCTime(nanosecondsSinceEpoch: .max).advanced(by: .seconds(1)).nanosecondsSinceEpoch == .max)
        #expect(UTCTime(nanosecondsSinceEpoch: .min).advanced(by: .seconds(-1)).nanosecondsSinceEpoch == .min)
        #expect(UTCTime(nanosecondsSinceEpoch: .min).millisecondsSinceEpoch == -9_223_372_036_855)
    }
}

struct DurationConversionTests {
    @Test(
        arguments: [
            (.zero, 0), (.nanoseconds(-7), -7), (.seconds(9_223_372_036), 9_223_372_036_000_000_000),
            (.seconds(9_223_372_037), .max), (.seconds(-9_223_372_037), .min), (.seconds(Int64.max), .max), (.seconds(Int64.min), .min),
            (.nanoseconds(Int64.max), .max), (.nanoseconds(Int64.min), .min), (.seconds(Int64.max) + .seconds(Int64.max), .max),
            (.seconds(Int64.min) + .seconds(Int64.min), .min), (Duration(secondsComponent: 0, attosecondsComponent: 999_999_999), 0),
        ] as [(Duration, Int64)])
    func `whole nanoseconds saturate`(duration: Duration, expected: Int64) {
        #expect(duration.wholeNanoseconds == expected)
    }

    @Test(
        arguments: [
            (.zero, 0), (.nanoseconds(1), 1), (.milliseconds(1), 1), (.nanoseconds(1_000_001), 2), (.nanoseconds(-1), 0),
            (.milliseconds(-2), -2), (.seconds(Int64.max), 9_223_372_036_855), (.nanoseconds(Int64.max), 9_223_372_036_855),
        ] as [(Duration, Int64)])
    func `milliseconds round up, so that a positive duration never becomes zero`(duration: Duration, expected: Int64) {
        #expect(duration.wholeMillisecondsRoundedUp == expected)
    }

    @Test(
        arguments: [
            (0.5, Duration.milliseconds(500)), (-0.25, .milliseconds(-250)), (.nan, .zero), (.infinity, .nanoseconds(Int64.max)),
            (-.infinity, .nanoseconds(Int64.min)), (1e300, .nanoseconds(Int64.max)), (1e-300, .zero), (9.3e9, .nanoseconds(Int64.max)),
        ] as [(Double, Duration)])
    func `seconds from outside saturate`(seconds: Double, expected: Duration) {
        #expect(Duration(saturatingSeconds: seconds) == expected)
    }
}
