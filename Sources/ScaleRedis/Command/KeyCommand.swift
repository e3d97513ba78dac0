/// A command with one key and no more arguments, whose head is written from memory: the path that caches live on.
struct KeyCommand: WireCommand {
    /// The encoding up to the key, such as `*2\r\n$3\r\nGET\r\n`.
    let head: StaticString
    let key: String

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
