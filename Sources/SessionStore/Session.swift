/// One session as it was when it was loaded or last written: a value; nothing changes in the storage until it is saved.
///
/// Descriptions and reflection show neither the id nor the payload.
public struct Session<Payload: Codable & Sendable>: Sendable {
    /// What the browser holds. A rotation gives another one.
    public let id: SessionID

    /// What the session is for. Change it and save, or better ``Sessions/update(_:attempts:_:)``, which merges.
    public var payload: Payload

    /// How old the session was at that time, counted from the login.
    public let age: Duration

    let version: SessionVersion

    /// The payload as the storage has it, by which an unchanged one is recognized.
    let stored: [UInt8]

    init(id: SessionID, payload: Payload, stored: [UInt8], version: SessionVersion, age: Duration) {
        self.id = id
        self.payload = payload
        self.stored = stored
        self.version = version
        self.age = age
    }
}

extension Session: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "Session(\(SessionKey(self.id)), version \(self.version.rawValue))" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror {
        Mirror(self, children: ["key": SessionKey(self.id).description, "version": self.version.rawValue, "age": self.age])
    }
}
