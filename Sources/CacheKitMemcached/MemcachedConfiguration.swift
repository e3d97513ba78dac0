/// How a store talks to its servers. Right when empty.
public struct MemcachedConfiguration: Sendable {
    /// How long to wait for a connection. A server that is up accepts within a round trip; longer only delays the answer that it is down.
    public var connectTimeout: Duration = .milliseconds(100)

    /// How long a server may be silent while an answer, or room to send, is awaited; one that drips, with less than 64 KiB in that
    /// time, counts as silent. Too short, and a pause of the server's host looks
    /// like a failure; too long, and everybody waits for a server that is gone.
    public var replyTimeout: Duration = .milliseconds(200)

    /// How long a server that was silent or refused a connection is left alone. Until then its keys fail at once, so that what waits for
    /// the other servers does not wait for this one again and again.
    public var restAfterFailure: Duration = .seconds(1)

    /// Threads that read. One does for most: what waits while it reads becomes the next multi-get. At least 1.
    public var readers = 1

    /// Threads that write, lease and count; verbs on one key always take the same one. At least 1.
    public var writers = 2

    /// How many keys one multi-get asks for, all servers together: 1 to 500. Far more could fill the buffers of both sides, with each
    /// waiting for the other to read.
    public var keysPerRead = 100

    /// The servers' `-I`: the largest item that they store, in bytes, with its key and the server's own head. An entry that a server
    /// with a smaller limit refuses is the same error, `.valueTooLarge`, and an unconditional write has removed the old entry then. Longer
    /// values that other programs have stored are not read.
    public var maximumItemSize = 1_048_576

    public init() {}
}
