/// The lines of an access log that are not written yet, in their order. A value; ``AccessLogFile`` writes.
///
/// One writer is at work at a time, and takes all that has come since its last write. While the file takes none, lines are held up to a bound;
/// what comes beyond is dropped and counted, and so is what a write could not bring to the file.
struct AccessLogQueue {
    /// What has to be told of a write that has ended.
    struct Report: Equatable {
        /// What went wrong: once, and not for each write.
        var failure: Int32?
        /// Lines that were lost: once the file takes some again, or in the end.
        var lost = 0
    }

    let capacity: Int
    private var lines: [UInt8] = []
    /// How many lines are held, and how many are being written.
    private var (held, flying) = (0, 0)
    private var lost = 0
    private(set) var isWriting = false
    private var isGivenUp = false
    /// Whether the file ends within a line, which the next one must not go on with.
    private var isTorn = false
    /// The last failure that was told of; 0 is none.
    private var failure: Int32 = 0

    /// - Parameter capacity: bytes that are held.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Takes a line. True when a writer has to be sent for.
    mutating func add(_ line: [UInt8]) -> Bool {
        guard !self.isGivenUp, line.count <= self.capacity - self.lines.count else {
            self.lost += 1
            return false
        }
        self.lines += line
        self.held += 1
        guard !self.isWriting else { return false }
        self.isWriting = true
        return true
    }

    /// What the writer writes next; nil ends its work.
    mutating func next() -> [UInt8]? {
        guard !self.lines.isEmpty else {
            self.isWriting = false
            return nil
        }
        defer { (self.lines, self.held, self.flying) = ([], 0, self.held) }
        return self.isTorn ? [UInt8(ascii: "\n")] + self.lines : self.lines
    }

    /// Notes how a write ended.
    ///
    /// - Parameters:
    ///   - written: bytes of `lines` that the file has.
    ///   - failure: 0, or the number of what went wrong.
    mutating func ended(_ lines: [UInt8], written: Int, _ failure: Int32) -> Report {
        if written > 0 { self.isTorn = lines[written - 1] != UInt8(ascii: "\n") }
        guard !self.isGivenUp else { return Report() }
        // An end that was put before the first line is none of a line's.
        let isLed = lines.first == UInt8(ascii: "\n")
        self.lost += lines[max(written, isLed ? 1 : 0)...].count { $0 == UInt8(ascii: "\n") }
        self.flying = 0
        defer { self.failure = failure }
        guard failure == 0 else { return Report(failure: failure == self.failure ? nil : failure) }
        defer { self.lost = 0 }
        return Report(lost: self.lost)
    }

    /// Waits for nothing any more: drops what is held, and counts what is being written as lost, since nobody will know.
    ///
    /// - Returns: how many lines were lost that have not been told of.
    mutating func giveUp() -> Int {
        defer { (self.lines, self.held, self.flying, self.lost, self.isGivenUp) = ([], 0, 0, 0, true) }
        return self.lost + self.held + self.flying
    }
}
