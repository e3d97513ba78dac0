import SessionStore

extension SessionStorageConformance {
    static let storing: [Check] = [
        Check("an unknown key is no session for any verb, and no verb makes it one") { subject in
            let (key, other) = (SessionKey(SessionID()), SessionKey(SessionID()))
            let policy = subject.policy()
            let version = SessionVersion(rawValue: 1)
            try expect(try await subject.storage.load(key) == nil, "load found a session that nobody created")
            let save = try await subject.storage.save(key, payload: [1], ifVersion: version, policy: policy)
            try expect(save, is: .ended, "save of an unknown key did not report .ended")
            try expect(try await !subject.storage.touch(key, policy: policy), "touch of an unknown key returned true")
            let rotation = try await subject.storage.rotate(
                key, to: other, payload: [1], ifVersion: version, lifetime: .kept, policy: policy)
            try expect(rotation, is: .ended, "rotate of an unknown key did not report .ended")
            try expect(try await !subject.storage.delete(key), "delete of an unknown key returned true")
            try expect(try await subject.storage.load(key) == nil, "a verb on an unknown key created a session")
            try expect(try await subject.storage.load(other) == nil, "a rotation of an unknown key created a session")
        },
        Check("a created session is loaded with the same bytes, whatever they are") { subject in
            let payloads: [[UInt8]] = [[], [0], Array(0...255), Array("{\"é\":\"\\r\\n\"}".utf8), Array(repeating: 0xFF, count: 65_536)]
            for payload in payloads {
                let key = SessionKey(SessionID())
                let version = try await subject.storage.create(key, payload: payload, policy: subject.policy())
                let stored = try unwrap(try await subject.storage.load(key), "a created session was not found")
                try expect(stored.payload, is: payload, "a payload of \(payload.count) bytes came back different")
                try expect(stored.version, is: version, "load and create disagree about the version")
            }
        },
        Check("create does not overwrite") { subject in
            let key = SessionKey(SessionID())
            _ = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            let second = await Result { () async throws(SessionError) in
                try await subject.storage.create(key, payload: [2], policy: subject.policy())
            }
            guard case .failure(let error) = second else { throw failure("create returned for a key that exists") }
            try expect(error.code, is: .conflict, "create of a key that exists threw another error than .conflict")
            try expect(try await subject.storage.load(key)?.payload, is: [1], "create overwrote a session")
        },
        Check("a save from the present version replaces the payload under a new version") { subject in
            let key = SessionKey(SessionID())
            var versions = [try await subject.storage.create(key, payload: [0], policy: subject.policy())]
            for step in UInt8(1)...3 {
                let save = try await subject.storage.save(key, payload: [step], ifVersion: versions[versions.count - 1], policy: subject.policy())
                guard case .written(let version) = save else { throw failure("a save from the present version was refused") }
                try expect(!versions.contains(version), "a save gave a version that the session had before")
                versions.append(version)
                let stored = try unwrap(try await subject.storage.load(key), "a saved session was not found")
                try expect(stored.payload, is: [step], "a save did not replace the payload")
                try expect(stored.version, is: version, "load and save disagree about the version")
            }
        },
        Check("a save from another version is a conflict and writes nothing") { subject in
            let key = SessionKey(SessionID())
            let first = try await subject.storage.create(key, payload: [0], policy: subject.policy())
            _ = try await subject.storage.save(key, payload: [1], ifVersion: first, policy: subject.policy())
            let late = try await subject.storage.save(key, payload: [2], ifVersion: first, policy: subject.policy())
            try expect(late, is: .conflict, "a save from an older version did not report .conflict")
            try expect(try await subject.storage.load(key)?.payload, is: [1], "a refused save was written")
        },
        Check("another node sees each write at once") { subject in
            let key = SessionKey(SessionID())
            let version = try await subject.storage.create(key, payload: [1], policy: subject.policy())
            try expect(try await subject.secondNode.load(key)?.payload, is: [1], "another node does not see a created session")
            _ = try await subject.secondNode.save(key, payload: [2], ifVersion: version, policy: subject.policy())
            try expect(try await subject.storage.load(key)?.payload, is: [2], "a node does not see another node's save")
            try await subject.secondNode.delete(key)
            try expect(try await subject.storage.load(key) == nil, "a node still has a session that another node ended")
        },
    ]
}
