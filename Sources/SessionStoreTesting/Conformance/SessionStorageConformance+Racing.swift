import ScaleTesting
import SessionStore

extension SessionStorageConformance {
    /// Verbs at the same time, from both nodes. Each check runs several rounds, since one round may happen to be in order.
    static let racing: [Case] = [
        Case("of several saves from one version exactly one is written, the others are conflicts") { subject in
            for _ in 0..<rounds {
                let key = SessionKey(SessionID())
                let version = try await subject.storage.create(key, payload: [0], policy: subject.policy())
                let saves = try await concurrently(8) { number in
                    let save = try await subject.node(number).save(
                        key, payload: [UInt8(number)], ifVersion: version, policy: subject.policy())
                    return (number, save)
                }
                let written = saves.filter { if case .written = $0.1 { true } else { false } }
                try expectEqual(written.count, 1, "\(written.count) of 8 saves from one version were written")
                try expectEqual(saves.filter { $0.1 == .conflict }.count, 7, "a save that lost did not report .conflict")
                try expectEqual(
                    try await subject.storage.load(key)?.payload, [UInt8(written[0].0)], "the payload is not that of the save that won")
            }
        },
        Case("a save at the same time as a rotation: one of them wins, and never both") { subject in
            for _ in 0..<rounds {
                let (old, new) = (SessionKey(SessionID()), SessionKey(SessionID()))
                let version = try await subject.storage.create(old, payload: [0], policy: subject.policy())
                let writes = try await concurrently(2) { number in
                    number == 0
                        ? try await subject.storage.save(old, payload: [1], ifVersion: version, policy: subject.policy())
                        : try await subject.secondNode.rotate(
                            old, to: new, payload: [2], ifVersion: version, lifetime: .kept, policy: subject.policy())
                }
                let (under, beyond) = (try await subject.storage.load(old)?.payload, try await subject.storage.load(new)?.payload)
                switch (writes[0], writes[1]) {
                case (.written, .conflict):
                    try expect(under == [1] && beyond == nil, "the save won, but the session does not show it")
                case (.ended, .written):
                    try expect(under == nil && beyond == [2], "the rotation won, but the session does not show it")
                default:
                    throw TestFailure("a save and a rotation from one version ended as \(writes)")
                }
            }
        },
        Case("of several rotations at the same time exactly one is written, and one new key is alive") { subject in
            for _ in 0..<rounds {
                let old = SessionKey(SessionID())
                let keys = (0..<4).map { _ in SessionKey(SessionID()) }
                let version = try await subject.storage.create(old, payload: [0], policy: subject.policy())
                let rotations = try await concurrently(keys.count) { number in
                    try await subject.node(number).rotate(
                        old, to: keys[number], payload: [1], ifVersion: version, lifetime: .kept, policy: subject.policy())
                }
                let written = rotations.filter { if case .written = $0 { true } else { false } }
                try expectEqual(written.count, 1, "\(written.count) of 4 rotations were written")
                try expectEqual(rotations.filter { $0 == .ended }.count, 3, "a rotation that lost did not report .ended")
                var alive = 0
                for key in keys where try await subject.storage.load(key) != nil { alive += 1 }
                try expectEqual(alive, 1, "\(alive) new keys are alive after the rotations")
            }
        },
        Case("a delete at the same time as saves and touches is final in every order") { subject in
            for _ in 0..<rounds {
                let key = SessionKey(SessionID())
                let version = try await subject.storage.create(key, payload: [0], policy: subject.policy())
                _ = try await concurrently(6) { number in
                    switch number {
                    case 2: _ = try await subject.secondNode.delete(key)
                    case 0, 4: _ = try await subject.node(number / 4).touch(key, policy: subject.policy())
                    default: _ = try await subject.node(number).save(key, payload: [1], ifVersion: version, policy: subject.policy())
                    }
                }
                try expectEqual(try await subject.storage.load(key), nil, "a session is there after its delete returned")
            }
        },
    ]

    private static let rounds = 10

    private static func concurrently<Result: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Int) async throws -> Result
    ) async throws -> [Result] {
        try await withThrowingTaskGroup(of: (Int, Result).self) { group in
            for number in 0..<count {
                group.addTask { (number, try await body(number)) }
            }
            var results: [(Int, Result)] = []
            for try await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

extension SessionStorageConformance.Subject {
    func node(_ number: Int) -> any SessionStorage {
        number.isMultiple(of: 2) ? self.storage : self.secondNode
    }
}
