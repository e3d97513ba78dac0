import ScaleCore
import Testing

@testable import QueueKit

@Suite struct TaskRateTests {
    @Test(
        arguments: [
            ("10", 100_000_000), ("10/s", 100_000_000), ("10/", 100_000_000), ("60/m", 1_000_000_000), ("2/h", 1_800_000_000_000),
            ("0.5/s", 2_000_000_000), ("1e3/s", 1_000_000), ("1e300/s", 0), ("+4/s", 250_000_000),
        ] as [(String, Int64)])
    func `a rate is an interval`(_ text: String, _ nanoseconds: Int64) throws {
        #expect(try TaskRate.parse(text)?.interval == .nanoseconds(nanoseconds))
    }

    @Test(arguments: ["0", "0/m", "0.0/h", "-0/s"]) func `a rate of zero is no limit`(_ text: String) throws {
        #expect(try TaskRate.parse(text) == nil)
    }

    @Test(
        arguments: [
            ("", .number("")), ("abc", .number("abc")), ("/m", .number("")), ("0x10/s", .number("0x10")), ("nan", .number("nan")),
            ("inf/s", .number("inf")), ("1 /s", .number("1 ")), ("--1", .number("--1")), ("1/d", .unit("d")), ("1/s/s", .unit("s/s")),
            ("-1/s", .range), ("1e999", .range), ("1e-300/h", .range), ("0.00000001/h", .range),
        ] as [(String, TaskRate.Invalid)])
    func `what is no rate is refused, and says why`(_ text: String, _ reason: TaskRate.Invalid) {
        #expect(throws: reason) { try TaskRate.parse(text) }
    }

    @Test func `a long text is not read`() {
        let long = String(repeating: "1", count: 1_000_000)
        #expect(throws: TaskRate.Invalid.number(long)) { try TaskRate.parse(long) }
    }
}
