import ScaleTesting
import SessionStore

extension SessionStorageConformance {
    /// What a logout ends stays ended.
    static let concluding: [Case] = [
        Case("delete ends this session and no other, and says whether there was one") { subject in
            let (key, other) = (SessionKey(SessionID()), SessionKey(SessionID()))
            _ = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            _ = try await subject.storage.create(other, payload: [2], policy: subject.policy())
            try expectEqual(try await subject.storage.delete(key), true, "delete of a session returned false")
            try expectEqual(try await subject.storage.delete(key), false, "a second delete returned true")
            try expectEqual(try await subject.storage.load(key), nil, "a deleted session was loaded")
            try expectEqual(try await subject.storage.load(other)?.payload, [2], "delete ended another session")
        },
        Case("a save in flight does not revive a session that was ended") { subject in
            let key = SessionKey(SessionID())
            let version = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            try await subject.storage.delete(key)
            let save = try await subject.storage.save(key, payload: [2], ifVersion: version, policy: subject.policy())
            try expectEqual(save, .ended, "a save after the end did not report .ended")
            try expectEqual(try await subject.storage.load(key), nil, "a save revived a session")
        },
        Case("a touch in flight does not revive a session that was ended") { subject in
            let key = SessionKey(SessionID())
            _ = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            try await subject.storage.delete(key)
            try expectEqual(try await subject.storage.touch(key, policy: subject.policy()), false, "a touch after the end returned true")
            try expectEqual(try await subject.storage.load(key), nil, "a touch revived a session")
        },
        Case("a rotation in flight does not revive a session that was ended, under neither key") { subject in
            let (key, next) = (SessionKey(SessionID()), SessionKey(SessionID()))
            let version = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            try await subject.storage.delete(key)
            let rotation = try await subject.storage.rotate(
                key, to: next, payload: [2], ifVersion: version, lifetime: .restarted, policy: subject.policy())
            try expectEqual(rotation, .ended, "a rotation after the end did not report .ended")
            try expectEqual(try await subject.storage.load(key), nil, "a rotation revived a session")
            try expectEqual(try await subject.storage.load(next), nil, "a rotation of an ended session made a new one")
        },
        Case("a touch leaves payload and version alone, so that it fails no save") { subject in
            let key = SessionKey(SessionID())
            let version = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            try expectEqual(try await subject.storage.touch(key, policy: subject.policy()), true, "a touch of a session returned false")
            try expectEqual(try await subject.storage.load(key)?.payload, [1], "a touch changed the payload")
            let save = try await subject.storage.save(key, payload: [2], ifVersion: version, policy: subject.policy())
            try expect(save != .conflict && save != .ended, "a touch made a save fail")
        },
    ]
}
