#if SQLite
import QueueKit
import QueueKitSQLite
import QueueKitTesting
import ScaleTesting
import Testing

@Suite struct SQLiteConformanceTests {
    @Test(arguments: BrokerConformance.cases)
    func `the SQLite broker conforms`(_ rule: BrokerConformance.Case) async throws {
        let scratch = try Scratch()
        let time = ManualTime()
        try await rule.run(on: .init(SQLiteBroker(try scratch.database(time: time.source)), time: time))
        withExtendedLifetime(scratch) {}
    }

    @Test(arguments: ResultStoreConformance.cases)
    func `the SQLite result store conforms`(_ rule: ResultStoreConformance.Case) async throws {
        let scratch = try Scratch()
        let time = ManualTime()
        try await rule.run(on: .init(SQLiteResultStore(try scratch.database(time: time.source)), time: time))
        withExtendedLifetime(scratch) {}
    }
}
#endif
