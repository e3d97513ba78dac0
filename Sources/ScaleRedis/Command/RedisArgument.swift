/// One argument of a command: text, bytes or a number, encoded as a bulk string.
public struct RedisArgument: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    enum Storage: Sendable, Hashable {
        case string(String)
        case bytes([UInt8])
        case integer(Int64)
    }

    let storage: Storage

    /// The text in UTF-8.
    public init(_ string: String) {
        self.storage = .string(string)
    }

    /// The bytes as they are.
    public init(_ bytes: [UInt8]) {
        self.storage = .bytes(bytes)
    }

    /// The number in decimal.
    public init(_ integer: some BinaryInteger) {
        if let exact = Int64(exactly: integer) {
            self.storage = .integer(exact)
        } else {
            self.storage = .string(String(integer))
        }
    }

    /// The number in the shortest form that reads back as the same; infinities as Redis spells them (`inf`, `-inf`).
    public init(_ number: Double) {
        self.storage = .string(number.isInfinite ? (number < 0 ? "-inf" : "inf") : "\(number)")
    }

    public init(stringLiteral value: String) {
        self.storage = .string(value)
    }

    public init(integerLiteral value: Int64) {
        self.storage = .integer(value)
    }

    /// The length of the argument's encoding in bytes, without its header.
    var byteCount: Int {
        switch self.storage {
        case .string(let string): string.utf8.count
        case .bytes(let bytes): bytes.count
        case .integer(let value): decimalDigitCount(of: value)
        }
    }
}
