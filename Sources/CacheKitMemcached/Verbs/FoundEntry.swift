import CacheKit
import ScaleCore

/// What a server holds for an entry's key, as it is to be understood now.
struct FoundEntry: Sendable {
    /// What is stored, though its life may be over: a server keeps items up to two seconds longer than asked.
    let stored: StoredEntry
    /// What readers are to see.
    let entry: StoredEntry
    /// Of a counter.
    let counterEnd: CounterEnd

    init(_ item: StoredItem?, at now: UTCTime) {
        guard let item else {
            (self.stored, self.entry, self.counterEnd) = (.absent, .absent, CounterEnd(flags: 0))
            return
        }
        self.stored = Self.entry(of: item.bytes)
        self.counterEnd = CounterEnd(flags: item.flags)
        switch self.stored {
        case .record(let record) where record.physicalEnd <= now.millisecondsSinceEpoch: self.entry = .absent
        case .counter where self.counterEnd.hasPassed(at: now): self.entry = .absent
        case .absent, .record, .counter, .unreadable: self.entry = self.stored
        }
    }

    /// `decr` of another program leaves a counter at its old length, with spaces behind the digits.
    private static func entry(of bytes: [UInt8]) -> StoredEntry {
        let entry = StoredEntry(bytes: bytes)
        guard case .unreadable = entry, bytes.last == UInt8(ascii: " "), bytes.count <= 20 else { return entry }
        let digits = Array(bytes.prefix { $0 != UInt8(ascii: " ") })
        guard bytes.dropFirst(digits.count).allSatisfy({ $0 == UInt8(ascii: " ") }),
            case .counter(let value) = StoredEntry(bytes: digits)
        else { return entry }
        return .counter(value)
    }
}

extension NewItem {
    /// A record whose end is in its head.
    init(_ record: CacheRecord, at now: UTCTime) {
        self.init(bytes: RecordBytes.encode(record), expiry: WireExpiry.seconds(until: record.physicalEnd, now: now))
    }

    init(counter value: Int64, until end: CounterEnd, at now: UTCTime) {
        self.init(bytes: Array(String(value).utf8), flags: end.flags, expiry: end.expiry(at: now))
    }
}
