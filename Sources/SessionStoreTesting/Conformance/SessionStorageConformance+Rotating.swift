import ScaleTesting
import SessionStore

extension SessionStorageConformance {
    static let rotating: [Case] = [
        Case("a rotation moves the session, and nothing is left under the old key for any verb") { subject in
            let (old, new) = (SessionKey(SessionID()), SessionKey(SessionID()))
            let version = try await subject.storage.create(old, payload: [1], policy: subject.policy())
            let rotation = try await subject.storage.rotate(
                old, to: new, payload: [2], ifVersion: version, lifetime: .kept, policy: subject.policy())
            guard case .written(let next) = rotation else { throw TestFailure("a rotation from the present version was refused") }
            let stored = try require(try await subject.storage.load(new), "a rotated session was not found under its new key")
            try expectEqual(stored.payload, [2], "a rotation did not write the payload")
            try expectEqual(stored.version, next, "load and rotate disagree about the version")

            try expectEqual(try await subject.storage.load(old), nil, "the old key was loaded after a rotation")
            for attempt in [version, next] {
                let save = try await subject.storage.save(old, payload: [3], ifVersion: attempt, policy: subject.policy())
                try expectEqual(save, .ended, "a save under the old key did not report .ended")
                let again = try await subject.storage.rotate(
                    old, to: SessionKey(SessionID()), payload: [3], ifVersion: attempt, lifetime: .kept, policy: subject.policy())
                try expectEqual(again, .ended, "a rotation of the old key did not report .ended")
            }
            try expectEqual(try await subject.storage.touch(old, policy: subject.policy()), false, "a touch of the old key returned true")
            try expectEqual(try await subject.storage.delete(old), false, "something was left to delete under the old key")
            try expectEqual(try await subject.storage.load(old), nil, "the old key came back")
            try expectEqual(try await subject.storage.load(new)?.payload, [2], "a verb on the old key reached the new session")

            let save = try await subject.storage.save(new, payload: [4], ifVersion: next, policy: subject.policy())
            try expect(save != .conflict && save != .ended, "a rotated session cannot be saved")
        },
        Case("a rotation from another version is a conflict and changes nothing") { subject in
            let (old, new) = (SessionKey(SessionID()), SessionKey(SessionID()))
            let first = try await subject.storage.create(old, payload: [1], policy: subject.policy())
            _ = try await subject.storage.save(old, payload: [2], ifVersion: first, policy: subject.policy())
            let rotation = try await subject.storage.rotate(
                old, to: new, payload: [3], ifVersion: first, lifetime: .kept, policy: subject.policy())
            try expectEqual(rotation, .conflict, "a rotation from an older version did not report .conflict")
            try expectEqual(try await subject.storage.load(old)?.payload, [2], "a refused rotation changed the session")
            try expectEqual(try await subject.storage.load(new), nil, "a refused rotation made a session")
        },
        Case("a rotation keeps the session's age, or starts it anew when told to") { subject in
            for (lifetime, ages) in [(SessionLifetime.kept, 8...9), (.restarted, 0...1)] {
                let (old, new) = (SessionKey(SessionID()), SessionKey(SessionID()))
                let version = try await subject.storage.create(old, payload: [1], policy: subject.policy())
                try await subject.pass(units: 8)
                _ = try await subject.storage.rotate(
                    old, to: new, payload: [1], ifVersion: version, lifetime: lifetime, policy: subject.policy())
                let stored = try require(try await subject.storage.load(new), "a rotated session was not found")
                try expect(subject.contains(stored.age, units: ages), "the age after a rotation is wrong: \(lifetime)")
                try expect(subject.contains(stored.unused, units: 0...1), "a rotation did not count as use")
            }
        },
    ]
}

extension SessionStorageConformance.Subject {
    /// Whether a duration lies within these units, give or take a unit's hundredth for what storages round.
    func contains(_ duration: Duration, units: ClosedRange<Int>) -> Bool {
        duration >= self.unit * units.lowerBound - self.unit / 100 && duration <= self.unit * units.upperBound
    }
}
