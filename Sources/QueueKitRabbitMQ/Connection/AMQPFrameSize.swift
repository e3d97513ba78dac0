internal import QueueKit

/// How many bytes headers take on the wire, by AMQP 0-9-1's table encoding as rabbitmq-c writes it.
///
/// A content header must fit into one frame. rabbitmq-c notices that one does not after it has announced the message, and the connection is of
/// no use after that: so it is counted before.
enum AMQPFrameSize {
    /// The frames that we ask for. A server may want smaller ones.
    static let wanted = 131_072
    /// The frame's own 8 bytes, the header's 14, and seven properties that are short strings at their longest.
    private static let besidesHeaders = 8 + 14 + 7 * 256

    /// Whether a message with these headers can be sent in frames of `frameBytes`.
    static func fits(_ headers: JSONObject, in frameBytes: Int) -> Bool {
        self.bytes(of: headers) <= frameBytes - self.besidesHeaders
    }

    static func bytes(of object: JSONObject) -> Int {
        var count = 4
        for (key, value) in object { count += 1 + key.utf8.count + self.bytes(of: value) }
        return count
    }

    private static func bytes(of value: JSONValue) -> Int {
        switch value {
        case .null: 1
        case .bool: 2
        case .integer(let value): Int32(exactly: value) == nil ? 9 : 5
        case .double: 9
        case .bigInteger(let text), .string(let text): 5 + text.utf8.count
        case .array(let values): values.reduce(5) { $0 + self.bytes(of: $1) }
        case .object(let object): 1 + self.bytes(of: object)
        }
    }
}
