/// A reply in RESP2, the protocol that every Redis server speaks.
///
/// A null bulk string and a null array are both ``null``. ``error(_:)`` appears only inside arrays: as the reply to a whole
/// command it is thrown as a ``RedisError``.
public enum RedisValue: Sendable, Hashable {
    /// A short text of the server's own, such as `OK`.
    case status(String)
    case integer(Int64)
    /// A binary-safe string.
    case bulk([UInt8])
    case null
    case array([RedisValue])
    /// An error inside an array, as `EXEC` gives for a command that failed alone.
    case error(RedisServerError)
}

extension RedisValue {
    /// The bytes of a bulk string or status; nil for every other reply.
    public var bytes: [UInt8]? {
        switch self {
        case .bulk(let bytes): bytes
        case .status(let text): Array(text.utf8)
        case .integer, .null, .array, .error: nil
        }
    }

    /// The text of a bulk string or status, ill-formed UTF-8 repaired with U+FFFD; nil for every other reply.
    public var string: String? {
        switch self {
        case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        case .integer, .null, .array, .error: nil
        }
    }

    /// An integer reply, or the integer that a bulk string spells; nil for every other reply.
    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .bulk(let bytes): Int64(String(decoding: bytes, as: UTF8.self))
        case .status, .null, .array, .error: nil
        }
    }

    /// The elements of an array; nil for every other reply.
    public var array: [RedisValue]? {
        switch self {
        case .array(let elements): elements
        case .status, .integer, .bulk, .null, .error: nil
        }
    }

    public var isNull: Bool {
        switch self {
        case .null: true
        case .status, .integer, .bulk, .array, .error: false
        }
    }

    /// What kind of reply it is, for messages: they may not hold the value.
    var kindName: String {
        switch self {
        case .status: "status"
        case .integer: "integer"
        case .bulk: "bulk string"
        case .null: "null"
        case .array: "array"
        case .error: "error"
        }
    }
}
