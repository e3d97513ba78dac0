/// A logical clock (L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", 1978): what is sent carries a time
/// greater than that of all that was seen before.
struct LamportClock: Hashable, Sendable {
    private(set) var time: Int64 = 0

    /// Beyond this a time from elsewhere is no count of events: taking it over would bring every peer to the end of the numbers.
    private static let limit: Int64 = 1 << 52

    /// The time of something that happens here.
    mutating func advance() -> Int64 {
        self.time += 1
        return self.time
    }

    /// Takes notice of a time from elsewhere.
    mutating func see(_ other: Int64) {
        guard (0..<Self.limit).contains(other) else { return }
        self.time = max(self.time, other) + 1
    }
}
