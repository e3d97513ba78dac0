import CacheKit
import ScaleCore

/// The verbs of a load as decisions: from what is stored to what is to be stored in its place.
struct LeaseSteps: Sendable {
    /// The present, by which records are stamped.
    let now: UTCTime
    let lease: Duration
    let token: LeaseToken
    /// For an empty record.
    let nonce: RecordNonce

    /// - Parameter remaining: how much longer the lease of a token stands that lasts for that long.
    func begin(
        _ found: FoundEntry, seen: Sighting, remaining: (LeaseToken, Duration) -> Duration
    ) -> StoreStep<BeginAnswer> {
        guard found.entry.sighting == seen else { return .answer(.changed) }
        if case .record(let record) = found.entry, let holder = record.lease, holder != self.token {
            let left = remaining(holder, .milliseconds(max(record.leaseDeadline, 0)))
            if left > .zero { return .answer(.held(by: holder, remaining: left)) }
        }
        return .put(self.planted(in: found.entry), .granted)
    }

    /// Takes the lease from whoever has it.
    func seize(_ found: FoundEntry) -> StoreStep<Void> {
        .put(self.planted(in: found.entry), ())
    }

    /// The token stands in the record, whether or not its time is over: nobody has replaced it.
    static func commit(_ found: FoundEntry, token: LeaseToken, record: CacheRecord, at now: UTCTime) -> StoreStep<CommitAnswer> {
        guard case .record(let stored) = found.stored, stored.lease == token else { return .answer(.refused) }
        return .put(NewItem(record, at: now), .stored)
    }

    static func abandon(_ found: FoundEntry, token: LeaseToken, at now: UTCTime) -> StoreStep<Void> {
        guard case .record(var record) = found.stored, record.lease == token else { return .answer(()) }
        if record.isEmpty { return .remove(()) }
        record.lease = nil
        record.leaseDeadline = 0
        return .put(NewItem(record, at: now), ())
    }

    /// The record with the token in it, living at least as long as the lease; an empty one in place of anything else.
    private func planted(in entry: StoredEntry) -> NewItem {
        let milliseconds = max(self.lease.wholeMillisecondsRoundedUp, 1)
        let (end, overflow) = self.now.millisecondsSinceEpoch.addingReportingOverflow(milliseconds)
        let leaseEnd = overflow ? .max : end
        var planted: CacheRecord
        if case .record(let record) = entry {
            planted = record
            planted.physicalEnd = max(record.physicalEnd, leaseEnd)
        } else {
            planted = CacheRecord(flags: .empty, nonce: self.nonce, schema: 0, tags: [], body: .bytes([]))
            planted.physicalEnd = leaseEnd
        }
        planted.lease = self.token
        planted.leaseDeadline = milliseconds
        return NewItem(planted, at: self.now)
    }
}
