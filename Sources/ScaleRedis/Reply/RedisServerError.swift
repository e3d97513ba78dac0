/// An error reply of the server, such as `WRONGTYPE Operation against a key holding the wrong kind of value`.
public struct RedisServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The server's sentence, without what it quotes of the command's arguments.
    public let message: String

    /// A server error with the text that follows the `-` on the wire.
    ///
    /// Redis answers an unknown command by quoting its arguments, which may be secrets; that part is dropped.
    public init(_ message: String) {
        self.message = Self.withoutQuotedArguments(message)
    }

    /// The first word: `ERR`, `WRONGTYPE`, `NOSCRIPT`, `MOVED`, …; empty when the reply was.
    public var kind: Substring {
        self.message.prefix { $0 != " " }
    }

    public var description: String { self.message }

    private static func withoutQuotedArguments(_ message: String) -> String {
        let mark = ", with args beginning with"
        var rest = message[...]
        // Only `unknown command` replies quote arguments, so other errors are not searched.
        guard message.hasPrefix("ERR unknown ") else { return message }
        while let comma = rest.firstIndex(of: ",") {
            if rest[comma...].hasPrefix(mark) { return String(message[..<comma]) }
            rest = rest[rest.index(after: comma)...]
        }
        return message
    }
}
