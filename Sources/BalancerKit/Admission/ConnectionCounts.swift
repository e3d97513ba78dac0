/// How many calls are in flight under each key: what one zone of nginx's `limit_conn` knows. A value without lock or clock.
///
/// A key is forgotten with its last call, so there are never more than calls in flight, and never more than the capacity. O(1).
package struct ConnectionCounts: Sendable {
    /// Longest key that is counted, in bytes of UTF-8; a longer one is treated as an empty key, as nginx does.
    package static let longestKey = 255

    private let capacity: Int
    private var counts: [String: Int] = [:]

    package init(capacity: Int) {
        self.capacity = capacity
    }

    /// Keys with a call in flight.
    package var keyCount: Int { self.counts.count }

    /// Whether a call with this key is counted at all.
    package static func limits(_ key: String) -> Bool {
        !key.isEmpty && key.utf8.count <= Self.longestKey
    }

    /// Counts one more call, unless there are as many as `limit`, or more keys than there is room for.
    package mutating func enter(_ key: String, limit: Int) -> Bool {
        let count = self.counts[key] ?? 0
        guard count < limit, count > 0 || self.counts.count < self.capacity else { return false }
        self.counts[key] = count + 1
        return true
    }

    /// Ends a call that was counted.
    package mutating func leave(_ key: String) {
        guard let count = self.counts[key] else { return }
        self.counts[key] = count > 1 ? count - 1 : nil
    }
}
