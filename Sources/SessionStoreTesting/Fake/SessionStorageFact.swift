public import SessionStore

/// One call of a storage's verb, without what it carried.
public struct SessionStorageCall: Hashable, Sendable {
    /// The verbs of ``SessionStore/SessionStorage``.
    public enum Verb: Hashable, Sendable, CaseIterable {
        case load, create, save, delete, touch, rotate
    }

    public let verb: Verb
    public let key: SessionKey
    /// Where a rotation goes to.
    public let newKey: SessionKey?

    init(_ verb: Verb, _ key: SessionKey, to newKey: SessionKey? = nil) {
        self.verb = verb
        self.key = key
        self.newKey = newKey
    }
}

/// A call of a storage's verb, and how it ended.
public struct SessionStorageFact: Hashable, Sendable {
    /// How a call ended.
    public enum Outcome: Hashable, Sendable {
        /// It found or did what it was called for.
        case done
        /// A load, delete or touch found no session.
        case nothing
        /// A save or rotation came too late: the session was over.
        case ended
        /// A save or rotation came from another version.
        case conflict
        /// A create met its key, or a full storage.
        case refused
        /// It threw, as a planned fault says. After a lost reply the fact before this one tells what happened.
        case failed

        init(_ creation: SessionTable.Creation) {
            switch creation {
            case .created: self = .done
            case .exists, .full: self = .refused
            }
        }

        init(_ write: SessionWrite) {
            switch write {
            case .written: self = .done
            case .conflict: self = .conflict
            case .ended: self = .ended
            }
        }
    }

    public let call: SessionStorageCall
    public let outcome: Outcome

    public var verb: SessionStorageCall.Verb { self.call.verb }

    /// Whether the call was of a verb that writes, whatever came of it.
    public var isWrite: Bool { self.call.verb != .load }
}
