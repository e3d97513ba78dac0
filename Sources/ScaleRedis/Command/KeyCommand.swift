/// A command with one key and no other argument, whose head is written as it stands: no argument list is made for it.
struct KeyCommand: WireCommand {
    /// The encoding up to the key, such as `*2\r\n$3\r\nGET\r\n`.
    private let head: StaticString
    private let key: String

    static func get(_ key: String) -> KeyCommand {
        KeyCommand(head: "*2\r\n$3\r\nGET\r\n", key: key)
    }

    var encodedCapacity: Int {
        self.head.utf8CodeUnitCount + RESPEncoder.bulkCapacity(self.key.utf8.count)
    }

    var replyCount: Int { 1 }

    @inline(__always)
    func encode(into encoder: inout RESPEncoder) {
        encoder.writeEncoded(self.head)
        encoder.writeBulk(self.key)
    }
}
