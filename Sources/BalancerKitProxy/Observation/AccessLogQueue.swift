/// The lines of an access log that are not written yet, in their order. A value; ``AccessLogFile`` writes.
///
/// One writer is at work at a time, and takes all that has come since its last write. While the file takes none, lines are held up to a bound;
/// what comes beyond is dropped and counted.
struct AccessLogQueue {
    /// What is to be written at once.
    struct Batch: Equatable {
        var lines: [UInt8]
        /// Lines that were dropped after these.
        var lost: Int
    }

    let capacity: Int
    private var lines: [UInt8] = []
    private var lost = 0
    private(set) var isWriting = false
    /// The last failure that was told of; 0 is none.
    private var failure: Int32 = 0

    /// - Parameter capacity: bytes that are held.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Takes a line. True when a writer has to be sent for.
    mutating func add(_ line: [UInt8]) -> Bool {
        guard line.count <= self.capacity - self.lines.count else {
            self.lost += 1
            return false
        }
        self.lines += line
        guard !self.isWriting else { return false }
        self.isWriting = true
        return true
    }

    /// What the writer writes next; nil ends its work.
    mutating func next() -> Batch? {
        guard !self.lines.isEmpty else {
            self.isWriting = false
            return nil
        }
        let batch = Batch(lines: self.lines, lost: self.lost)
        (self.lines, self.lost) = ([], 0)
        return batch
    }

    /// Notes how a write ended: 0, or the number of what went wrong. True when that has to be told: once, and not for each write.
    mutating func ended(_ failure: Int32) -> Bool {
        defer { self.failure = failure }
        return failure != 0 && failure != self.failure
    }
}
