import ScaleTesting
import SessionStore

extension SessionStorageConformance {
    static let expiring: [Case] = [
        Case("age and time without use start at zero and grow; use starts only the latter anew") { subject in
            let key = SessionKey(SessionID())
            let version = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            try await subject.expect(key, age: 0...1, unused: 0...1, "after create")
            try await subject.pass(units: 5)
            try await subject.expect(key, age: 5...6, unused: 5...6, "after five units")
            try await subject.storage.touch(key, policy: subject.policy())
            try await subject.expect(key, age: 5...6, unused: 0...1, "after touch")
            try await subject.pass(units: 5)
            _ = try await subject.storage.save(key, payload: [2], ifVersion: version, policy: subject.policy())
            try await subject.expect(key, age: 10...12, unused: 0...1, "after save")
        },
        Case("a session without use is over after the idle limit, for every verb") { subject in
            let (key, next) = (SessionKey(SessionID()), SessionKey(SessionID()))
            let policy = subject.policy(idle: 10, absolute: 50)
            let version = try await subject.storage.create(key, payload: [1], policy: policy)
            try await subject.pass(units: 8)
            try expectEqual(try await subject.storage.load(key)?.payload, [1], "a session was over before its idle limit")
            try await subject.pass(units: 3)
            let save = try await subject.storage.save(key, payload: [2], ifVersion: version, policy: policy)
            try expectEqual(save, .ended, "a save reached a session over its idle limit")
            try expectEqual(try await subject.storage.touch(key, policy: policy), false, "a touch reached a session over its idle limit")
            let rotation = try await subject.storage.rotate(
                key, to: next, payload: [2], ifVersion: version, lifetime: .restarted, policy: policy)
            try expectEqual(rotation, .ended, "a rotation reached a session over its idle limit")
            try expectEqual(try await subject.storage.load(key), nil, "a session was loaded after its idle limit")
        },
        Case("use prolongs the idle limit and never the absolute one") { subject in
            let key = SessionKey(SessionID())
            let policy = subject.policy(idle: 10, absolute: 25)
            var version = try await subject.storage.create(key, payload: [0], policy: policy)
            for step in UInt8(1)...3 {
                try await subject.pass(units: 7)
                let isAlive = try await subject.storage.touch(key, policy: policy)
                try expect(isAlive, "a session in use was over before its absolute limit")
                let save = try await subject.storage.save(key, payload: [step], ifVersion: version, policy: policy)
                guard case .written(let next) = save else { throw TestFailure("a session in use was over before its absolute limit") }
                version = next
            }
            try await subject.pass(units: 5)
            try expectEqual(try await subject.storage.load(key), nil, "use carried a session past its absolute limit")
            let isTouched = try await subject.storage.touch(key, policy: policy)
            try expect(!isTouched, "a touch reached a session past its absolute limit")
        },
        Case("a rotation that keeps the age does not carry a session past the absolute limit") { subject in
            let (old, new) = (SessionKey(SessionID()), SessionKey(SessionID()))
            let policy = subject.policy(idle: 20, absolute: 12)
            let version = try await subject.storage.create(old, payload: [0], policy: policy)
            try await subject.pass(units: 8)
            _ = try await subject.storage.rotate(old, to: new, payload: [0], ifVersion: version, lifetime: .kept, policy: policy)
            try expectEqual(try await subject.storage.load(new)?.payload, [0], "a rotated session was over before its absolute limit")
            try await subject.pass(units: 5)
            try expectEqual(try await subject.storage.load(new), nil, "a rotation carried a session past its absolute limit")
        },
        Case("the policy of the last write counts") { subject in
            let key = SessionKey(SessionID())
            let version = try await subject.storage.create(key, payload: [0], policy: subject.policy(idle: 20, absolute: 50))
            _ = try await subject.storage.save(key, payload: [1], ifVersion: version, policy: subject.policy(idle: 5, absolute: 50))
            try await subject.pass(units: 6)
            try expectEqual(try await subject.storage.load(key), nil, "a session outlived the shorter idle limit of its last save")
        },
    ]
}

extension SessionStorageConformance.Subject {
    fileprivate func expect(_ key: SessionKey, age: ClosedRange<Int>, unused: ClosedRange<Int>, _ when: String) async throws {
        let stored = try require(try await self.storage.load(key), "no session \(when)")
        try ScaleTesting.expect(self.contains(stored.age, units: age), "the age is wrong \(when)")
        try ScaleTesting.expect(self.contains(stored.unused, units: unused), "the time without use is wrong \(when)")
    }
}
