/// The rule for names of queues: 1 to 255 bytes (AMQP's short string) without control characters.
package enum QueueName {
    package static func validate(_ name: String) throws(QueueError) {
        guard (1...255).contains(name.utf8.count) else {
            throw QueueError(code: .invalidQueueName, message: "a queue's name has 1 to 255 bytes, this one \(name.utf8.count)")
        }
        guard name.utf8.allSatisfy(Self.isPrintableASCII) || name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else {
            throw QueueError(code: .invalidQueueName, message: "a queue's name has no control characters")
        }
    }

    /// Most names are of nothing else, and need no look into Unicode's tables.
    private static func isPrintableASCII(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte)
    }
}
