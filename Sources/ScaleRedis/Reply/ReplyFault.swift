/// Why bytes from the server were refused. The stream is lost after any of these: the connection must be closed.
enum ReplyFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// A reply began with a byte that RESP2 does not know.
    case unknownType(UInt8)
    /// CR and LF do not stand together where a line must end, or stand where none may.
    case brokenLineEnd
    /// A length is not a decimal number, or is negative and not -1.
    case malformedLength
    /// An integer reply is not a signed 64-bit decimal.
    case malformedInteger
    case bulkTooLong(Int, limit: Int)
    case arrayTooLong(Int, limit: Int)
    case lineTooLong(limit: Int)
    case nestedTooDeep(limit: Int)
    case replyTooLong(limit: Int)
    /// hiredis' reader refused what our framing had let through.
    case refusedByReader(String)
    /// A reply came that no command had asked for.
    case unsolicited

    var description: String {
        switch self {
        case .unknownType(let byte): "a reply of unknown type 0x\(String(byte, radix: 16))"
        case .brokenLineEnd: "a line that does not end in CR LF"
        case .malformedLength: "a malformed length"
        case .malformedInteger: "a malformed integer"
        case .bulkTooLong(let length, let limit): "a bulk string of \(length) bytes, over the limit of \(limit)"
        case .arrayTooLong(let count, let limit): "an array of \(count) elements, over the limit of \(limit)"
        case .lineTooLong(let limit): "a line over the limit of \(limit) bytes"
        case .nestedTooDeep(let limit): "arrays nested over the limit of \(limit)"
        case .replyTooLong(let limit): "a reply over the limit of \(limit) bytes"
        case .refusedByReader(let reason): "unreadable bytes (\(reason))"
        case .unsolicited: "a reply that no command asked for"
        }
    }
}
