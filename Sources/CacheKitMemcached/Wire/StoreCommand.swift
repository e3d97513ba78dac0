/// A command that changes one item, and the replies that it may get.
struct StoreCommand: Sendable {
    /// How an item is stored.
    enum Storing: Sendable {
        case set, add
        /// Stores if the item still has this number.
        case replace(number: UInt64)
    }

    private enum Verb: Sendable {
        case store(Storing)
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

    private let verb: Verb
    /// As it goes over the wire.
    let bytes: [UInt8]

    init(_ storing: Storing, _ name: String, _ item: NewItem) {
        self.verb = .store(storing)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(item.bytes.count + name.utf8.count + 80)
        switch storing {
        case .set: bytes += "set \(name) \(item.flags) \(item.expiry) \(item.bytes.count)\r\n".utf8
        case .add: bytes += "add \(name) \(item.flags) \(item.expiry) \(item.bytes.count)\r\n".utf8
        case .replace(let number): bytes += "cas \(name) \(item.flags) \(item.expiry) \(item.bytes.count) \(number)\r\n".utf8
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
        case (.store, "STORED"): .stored
        case (.store(.add), "NOT_STORED"), (.store(.replace), "EXISTS"), (.store(.replace), "NOT_FOUND"): .changed
        case (.delete, "DELETED"): .deleted
        case (.delete, "NOT_FOUND"): .absent
        default: nil
        }
    }
}
