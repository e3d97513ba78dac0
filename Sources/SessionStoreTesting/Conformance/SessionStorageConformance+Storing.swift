import ScaleTesting
import SessionStore

extension SessionStorageConformance {
    static let storing: [Case] = [
        Case("an unknown key is no session for any verb, and no verb makes it one") { subject in
            let (key, other) = (SessionKey(SessionID()), SessionKey(SessionID()))
            let policy = subject.policy()
            let version = SessionVersion(rawValue: 1)
            try expectEqual(try await subject.storage.load(key), nil, "load found a session that nobody created")
            let save = try await subject.storage.save(key, payload: [1], ifVersion: version, policy: policy)
            try expectEqual(save, .ended, "save of an unknown key did not report .ended")
            try expectEqual(try await subject.storage.touch(key, policy: policy), false, "touch of an unknown key returned true")
            let rotation = try await subject.storage.rotate(
                key, to: other, payload: [1], ifVersion: version, lifetime: .kept, policy: policy)
            try expectEqual(rotation, .ended, "rotate of an unknown key did not report .ended")
            try expectEqual(try await subject.storage.delete(key), false, "delete of an unknown key returned true")
            try expectEqual(try await subject.storage.load(key), nil, "a verb on an unknown key created a session")
            try expectEqual(try await subject.storage.load(other), nil, "a rotation of an unknown key created a session")
        },
        Case("a created session is loaded with the same bytes, whatever they are") { subject in
            let payloads: [[UInt8]] = [[], [0], Array(0...255), Array("{\"é\":\"\\r\\n\"}".utf8), Array(repeating: 0xFF, count: 65_536)]
            for payload in payloads {
                let key = SessionKey(SessionID())
                let version = try await subject.storage.create(key, payload: payload, policy: subject.policy())
                let stored = try require(try await subject.storage.load(key), "a created session was not found")
                try expectEqual(stored.payload, payload, "a payload of \(payload.count) bytes came back different")
                try expectEqual(stored.version, version, "load and create disagree about the version")
            }
        },
        Case("create does not overwrite") { subject in
            let key = SessionKey(SessionID())
            _ = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            let error = try await expectThrows(SessionError.self, "create returned for a key that exists") {
                try await subject.storage.create(key, payload: [2], policy: subject.policy())
            }
            try expectEqual(error.code, .conflict, "create of a key that exists threw another error than .conflict")
            try expectEqual(try await subject.storage.load(key)?.payload, [1], "create overwrote a session")
        },
        Case("a save from the present version replaces the payload under a new version") { subject in
            let key = SessionKey(SessionID())
            var versions = [try await subject.storage.create(key, payload: [0], policy: subject.policy())]
            for step in UInt8(1)...3 {
                let save = try await subject.storage.save(
                    key, payload: [step], ifVersion: versions[versions.count - 1], policy: subject.policy())
                guard case .written(let version) = save else { throw TestFailure("a save from the present version was refused") }
                try expect(!versions.contains(version), "a save gave a version that the session had before")
                versions.append(version)
                let stored = try require(try await subject.storage.load(key), "a saved session was not found")
                try expectEqual(stored.payload, [step], "a save did not replace the payload")
                try expectEqual(stored.version, version, "load and save disagree about the version")
            }
        },
        Case("a save from another version is a conflict and writes nothing") { subject in
            let key = SessionKey(SessionID())
            let first = try await subject.storage.create(key, payload: [0], policy: subject.policy())
            _ = try await subject.storage.save(key, payload: [1], ifVersion: first, policy: subject.policy())
            let late = try await subject.storage.save(key, payload: [2], ifVersion: first, policy: subject.policy())
            try expectEqual(late, .conflict, "a save from an older version did not report .conflict")
            try expectEqual(try await subject.storage.load(key)?.payload, [1], "a refused save was written")
        },
        Case("another node sees each write at once") { subject in
            let key = SessionKey(SessionID())
            let version = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            try expectEqual(try await subject.secondNode.load(key)?.payload, [1], "another node does not see a created session")
            _ = try await subject.secondNode.save(key, payload: [2], ifVersion: version, policy: subject.policy())
            try expectEqual(try await subject.storage.load(key)?.payload, [2], "a node does not see another node's save")
            try await subject.secondNode.delete(key)
            try expectEqual(try await subject.storage.load(key), nil, "a node still has a session that another node ended")
        },
    ]
}
