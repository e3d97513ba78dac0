/// How large a reply may be before it is refused and the connection closed.
///
/// hiredis' reader has no limits of its own: a header of a few bytes could make it promise itself gigabytes.
public struct RedisReplyLimits: Sendable, Hashable {
    /// The longest bulk string, in bytes. Default 128 MiB; the server's own limit is usually 512 MiB.
    public var bulkBytes: Int = 128 * 1024 * 1024

    /// The most elements in one array. Default 1,048,576.
    public var arrayElements: Int = 1_048_576

    /// The longest status or error line, in bytes without its type byte and CRLF. Default 64 KiB.
    public var lineBytes: Int = 64 * 1024

    /// How many arrays may be open inside one another. Default 8, which is also the most that hiredis can read; more is cut to 8.
    public var nesting: Int = 8

    /// The longest reply in bytes, everything counted. Default 512 MiB.
    public var replyBytes: Int = 512 * 1024 * 1024

    public init() {}
}
