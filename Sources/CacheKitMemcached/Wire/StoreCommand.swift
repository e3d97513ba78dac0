/// A command that changes one item, and the replies that it may get.
struct StoreCommand: Sendable {
    enum Verb: Sendable {
        case set, add
        /// Stores if the item still has this number.
        case replace(number: UInt64)
        case delete
    }

    /// What the server did.
    enum Reply: Sendable {
        case stored, deleted
        /// The item is not what was read: it is there, it is not there, or somebody has written it.
        case changed
        /// There is nothing to delete.
        case absent
    }

    let verb: Verb
    /// As it goes over the wire.
    let bytes: [UInt8]

    init(_ verb: Verb, _ name: String, _ item: NewItem) {
        self.verb = verb
        var bytes: [UInt8] = []
        bytes.reserveCapacity(item.bytes.count + name.utf8.count + 80)
        switch verb {
        case .set: bytes += "set \(name) \(item.flags) \(item.expiry) \(item.bytes.count)\r\n".utf8
        case .add: bytes += "add \(name) \(item.flags) \(item.expiry) \(item.bytes.count)\r\n".utf8
        case .replace(let number): bytes += "cas \(name) \(item.flags) \(item.expiry) \(item.bytes.count) \(number)\r\n".utf8
        case .delete: preconditionFailure("a delete has no item")
        }
        bytes += item.bytes
        bytes.append(0x0D)
        bytes.append(0x0A)
        self.bytes = bytes
    }

    init(delete name: String) {
        self.verb = .delete
        self.bytes = Array("delete \(name)\r\n".utf8)
    }

    /// The reply in `bytes`; `nil` when it has not all come.
    ///
    /// - Throws: a refusal, or ``ReplyFault/foreign`` for what is no reply to this command or more than one.
    func reply(in bytes: UnsafeRawBufferPointer) throws(ReplyFault) -> Reply? {
        guard let length = try ReplyLine.length(bytes) else { return nil }
        let line = UnsafeRawBufferPointer(rebasing: bytes[..<length])
        if let refusal = ReplyFault.refusal(line) { throw refusal }
        guard bytes.count == length + 2, let reply = self.known(line) else { throw .foreign }
        return reply
    }

    private func known(_ line: UnsafeRawBufferPointer) -> Reply? {
        switch (self.verb, String(decoding: line, as: UTF8.self)) {
        case (.set, "STORED"), (.add, "STORED"), (.replace, "STORED"): .stored
        case (.add, "NOT_STORED"), (.replace, "EXISTS"), (.replace, "NOT_FOUND"): .changed
        case (.delete, "DELETED"): .deleted
        case (.delete, "NOT_FOUND"): .absent
        default: nil
        }
    }
}
