/// An error reply of the server, such as `WRONGTYPE Operation against a key holding the wrong kind of value`.
public struct RedisServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The server's sentence, with `…` for whatever it quotes, as in `NOPERM this user has no permissions to run the '…' command`.
    public let message: String

    /// A server error with the text that follows the `-` on the wire.
    ///
    /// Redis quotes arguments in many of its errors, and any of them may be a secret (`ERR unknown subcommand '…'`): what stands between
    /// quotation marks is dropped. A sentence that a script makes up itself is treated the same, and shows what the script put outside.
    public init(_ message: String) {
        self.message = Self.withoutQuotations(message)
    }

    /// The first word: `ERR`, `WRONGTYPE`, `NOSCRIPT`, `MOVED`, …; empty when the reply was.
    public var kind: Substring {
        self.message.prefix { $0 != " " }
    }

    public var description: String { self.message }

    /// The text without what stands between the first and the last quotation mark of a kind, since Redis escapes nothing: what is
    /// quoted may hold the mark as well.
    private static func withoutQuotations(_ message: String) -> String {
        let bytes = Array(message.utf8)
        var kept: [UInt8] = []
        var position = 0
        while let opening = (position..<bytes.count).first(where: { self.isQuotationMark(at: $0, in: bytes) }) {
            let mark = bytes[opening]
            kept += bytes[position...opening] + Array("…".utf8)
            let closing = (opening + 1..<bytes.count).last { bytes[$0] == mark && self.isQuotationMark(at: $0, in: bytes) }
            // A mark that is never closed may have lost its other half, with the end of the text.
            guard let closing else { return String(decoding: kept, as: UTF8.self) }
            kept.append(mark)
            position = closing + 1
        }
        guard position > 0 else { return message }
        kept += bytes[position...]
        while kept.last == UInt8(ascii: " ") { kept.removeLast() }
        return String(decoding: kept, as: UTF8.self)
    }

    /// Whether a quotation mark stands there, and not the apostrophe of a word such as `can't` or `user's`.
    private static func isQuotationMark(at index: Int, in bytes: [UInt8]) -> Bool {
        switch bytes[index] {
        case UInt8(ascii: "\""), UInt8(ascii: "`"): return true
        case UInt8(ascii: "'"): break
        default: return false
        }
        guard index > 0, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(bytes[index - 1] | 0x20), index + 1 < bytes.count,
            bytes[index + 1] == UInt8(ascii: "t") || bytes[index + 1] == UInt8(ascii: "s")
        else { return true }
        return index + 2 < bytes.count && bytes[index + 2] != UInt8(ascii: " ")
    }
}
