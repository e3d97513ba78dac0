internal import ScaleCore

/// Which of many failures of one kind are worth a line in the log: one a second. A store that is down fails every read, and the log would
/// be the next thing to fail.
struct LogPace: Sendable {
    static let interval = Duration.seconds(1)

    private var next: Instant?
    private var omitted = 0

    /// How many have had no line since the last one that had, when this one is to have one; else `nil`.
    mutating func admit(at now: Instant) -> Int? {
        if let next, now < next {
            self.omitted += 1
            return nil
        }
        self.next = now.advanced(by: Self.interval)
        defer { self.omitted = 0 }
        return self.omitted
    }
}
