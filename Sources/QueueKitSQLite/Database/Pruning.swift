#if SQLite
internal import GRDB

/// The removal of what nobody asks for any more, within another transaction. Times are milliseconds since 1970, UTC.
struct Pruning: Sendable {
    let resultsBefore: Int64
    let deadLettersBefore: Int64

    func run(_ db: Database) throws {
        try ResultRows.prune(before: self.resultsBefore, db)
        try MessageRows.pruneDeadLetters(before: self.deadLettersBefore, db)
    }
}
#endif
