import ScaleTesting
import Testing

struct ExpectationsTests {
    struct Boom: Error, Equatable {}
    struct Other: Error {}

    @Test func `what holds is silent`() async throws {
        try expect(1 < 2)
        try expectEqual([1], [1])
        #expect(try require(Optional(3)) == 3)
        #expect(try await expectThrows(Boom.self) { throw Boom() } == Boom())
    }

    @Test func `what does not hold is thrown with its line`() {
        let line = #line + 1
        #expect(throws: TestFailure("too big", file: #fileID, line: line)) { try expect(2 < 1, "too big") }
        #expect("\(TestFailure("too big", file: "App/Test.swift", line: 7))" == "App/Test.swift:7: too big")
    }

    @Test func `unequal values are both shown`() {
        #expect { try expectEqual(1, 2, "count") } throws: { ($0 as? TestFailure)?.message == "count: got 1, expected 2" }
    }

    @Test func `a missing value is a failure`() {
        #expect(throws: TestFailure.self) { try require(Int?.none) }
    }

    @Test func `no error, and another error, are failures`() async {
        await #expect { try await expectThrows(Boom.self) {} } throws: { "\($0)".contains("nothing was thrown") }
        await #expect { try await expectThrows(Boom.self) { throw Other() } } throws: { "\($0)".contains("got Other()") }
    }

    @Test func `a condition that throws passes its error on`() {
        #expect(throws: Boom.self) { try expect({ throw Boom() }()) }
    }
}
