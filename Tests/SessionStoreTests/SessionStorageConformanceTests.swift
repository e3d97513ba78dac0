import ScaleTesting
import SessionStore
import SessionStoreTesting
import Testing

/// The suite finds storages that break a promise, each in the way in which real ones have.
@Suite struct SessionStorageConformanceTests {
    @Test(arguments: BrokenStorage.Defect.allCases)
    func `a storage with a defect fails the suite`(defect: BrokenStorage.Defect) async throws {
        let storage = BrokenStorage(defect)
        let error = await #expect(throws: TestFailure.self) {
            try await SessionStorageConformance.run(on: .init(storage) { await storage.base.time.advance(by: $0) })
        }
        #expect(error?.message.contains("do not hold") == true)
    }

    @Test func `the same storage without a defect passes`() async throws {
        let storage = BrokenStorage(nil)
        try await SessionStorageConformance.run(on: .init(storage) { await storage.base.time.advance(by: $0) })
    }
}

final class BrokenStorage: SessionStorage {
    enum Defect: CaseIterable, Sendable {
        case saveRevives, saveIgnoresVersion, touchRevives, rotationLeavesTheOldKey, rotationIsTwoSteps, rotationRestartsTheAge
        case createOverwrites, payloadLosesItsLastByte, touchChangesTheVersion, deleteOnlySaysSo, usePassesTheAbsoluteLimit, neverIdle
    }

    let base = FakeSessionStorage()
    private let defect: Defect?

    init(_ defect: Defect?) {
        self.defect = defect
    }

    private func policy(_ policy: SessionPolicy) -> SessionPolicy {
        switch self.defect {
        case .usePassesTheAbsoluteLimit: SessionPolicy(idle: policy.idle, absolute: .seconds(1_000_000))
        case .neverIdle: SessionPolicy(idle: .seconds(1_000_000), absolute: policy.absolute)
        default: policy
        }
    }

    func load(_ key: SessionKey) async throws(SessionError) -> StoredSession? {
        guard var stored = try await self.base.load(key) else { return nil }
        if self.defect == .payloadLosesItsLastByte { stored.payload = Array(stored.payload.dropLast()) }
        return stored
    }

    func create(_ key: SessionKey, payload: [UInt8], policy: SessionPolicy) async throws(SessionError) -> SessionVersion {
        if self.defect == .createOverwrites { try await self.base.delete(key) }
        return try await self.base.create(key, payload: payload, policy: self.policy(policy))
    }

    func save(
        _ key: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite {
        let stored = try await self.base.load(key)
        if self.defect == .saveRevives, stored == nil {
            return .written(try await self.base.create(key, payload: payload, policy: self.policy(policy)))
        }
        let seen = self.defect == .saveIgnoresVersion ? stored?.version ?? version : version
        return try await self.base.save(key, payload: payload, ifVersion: seen, policy: self.policy(policy))
    }

    @discardableResult
    func delete(_ key: SessionKey) async throws(SessionError) -> Bool {
        if self.defect == .deleteOnlySaysSo { return try await self.base.load(key) != nil }
        return try await self.base.delete(key)
    }

    @discardableResult
    func touch(_ key: SessionKey, policy: SessionPolicy) async throws(SessionError) -> Bool {
        if self.defect == .touchRevives, try await self.base.load(key) == nil {
            _ = try await self.base.create(key, payload: [], policy: self.policy(policy))
        }
        if self.defect == .touchChangesTheVersion, let stored = try await self.base.load(key) {
            _ = try await self.base.save(key, payload: stored.payload, ifVersion: stored.version, policy: self.policy(policy))
        }
        return try await self.base.touch(key, policy: self.policy(policy))
    }

    func rotate(
        _ old: SessionKey, to new: SessionKey, payload: [UInt8], ifVersion version: SessionVersion, lifetime: SessionLifetime,
        policy: SessionPolicy
    ) async throws(SessionError) -> SessionWrite {
        let policy = self.policy(policy)
        switch self.defect {
        case .rotationLeavesTheOldKey:
            let outcome = try await self.base.rotate(old, to: new, payload: payload, ifVersion: version, lifetime: lifetime, policy: policy)
            _ = try await self.base.create(old, payload: payload, policy: policy)
            return outcome
        case .rotationIsTwoSteps:
            guard let stored = try await self.base.load(old) else { return .ended }
            guard stored.version == version else { return .conflict }
            let created = try await self.base.create(new, payload: payload, policy: policy)
            for _ in 0..<20 { await Task.yield() }  // Long enough for the others to come in between.
            try await self.base.delete(old)
            return .written(created)
        default:
            let lifetime = self.defect == .rotationRestartsTheAge ? .restarted : lifetime
            return try await self.base.rotate(old, to: new, payload: payload, ifVersion: version, lifetime: lifetime, policy: policy)
        }
    }
}
