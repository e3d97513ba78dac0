import BookshopFakes
import Foundation
import Programs
import Testing

#if os(Linux)
/// A failure of a conformance suite is one that the test framework reports.
///
/// Each framework is run once more, in a process of its own, on the test that puts ``StoreUnderTest`` through the suite: with the shop's
/// store it must succeed, with the broken one it must fail, name the rule, and end with a status above 0. (On Linux the built test bundle
/// is a program that takes a test's name; elsewhere it is started by others.)
@Suite struct ReportedFailures {
    enum Framework: CaseIterable, Sendable {
        case xcTest
        case swiftTesting

        var arguments: [String] {
            switch self {
            case .xcTest: ["BookshopXCTests.OwnPartsTests/testTheShopsStoreKeepsEveryRuleOfACacheStore"]
            case .swiftTesting: ["--testing-library", "swift-testing", "--filter", "BookshopSwiftTests.OwnPartsTests"]
            }
        }

        /// How the framework says that what it ran was well.
        var success: String {
            switch self {
            case .xcTest: "Executed 1 test, with 0 failures"
            case .swiftTesting: "Test run with 3 tests in 1 suite passed"
            }
        }
    }

    /// What the suite says of the broken store.
    static let brokenRule = "expected refused"

    @Test(arguments: Framework.allCases) func `a store that keeps the rules succeeds`(framework: Framework) async throws {
        let run = try await TestBundle.run(framework.arguments, store: nil)
        #expect(run.status == 0, "\(run.output)")
        #expect(run.output.contains(framework.success), "\(run.output)")
        #expect(!run.output.contains(Self.brokenRule))
    }

    @Test(arguments: Framework.allCases) func `a broken store is a reported failure`(framework: Framework) async throws {
        let run = try await TestBundle.run(framework.arguments, store: StoreUnderTest.careless)
        #expect(run.status > 0, "\(run.output)")
        #expect(!run.output.contains(framework.success), "\(run.output)")
        #expect(run.output.contains(Self.brokenRule), "\(run.output)")
    }
}

/// The test bundle that this test is part of, as a program.
private enum TestBundle {
    static func run(_ arguments: [String], store: String?) async throws -> (status: Int32, output: String) {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0])
        let run = try RunningProgram.start(bundle, arguments, environment: store.map { [StoreUnderTest.variable: $0] } ?? [:])
        let outcome = try await run.outcome(within: .seconds(120))
        return (outcome.status, outcome.output + outcome.errors)
    }
}
#endif
