import NIOCore

/// What is sent to those who listen, in the form of server-sent events (WHATWG HTML, section 9.2).
enum LiveEvent {
    /// First of all: when a client that was cut off comes again.
    static let greeting = ByteBuffer(string: "retry: 2000\n\n")

    /// A comment, for proxies and clients that take silence for an end.
    static let heartbeat = ByteBuffer(string: ":\n\n")

    /// A profile as it is now.
    ///
    /// - Parameter json: one line; what would end it is escaped within JSON's strings.
    static func profile(_ json: [UInt8], id: String) -> ByteBuffer {
        var event = ByteBuffer(string: "event: profile\nid: \(id)\ndata: ")
        event.writeBytes(json)
        event.writeString("\n\n")
        return event
    }

    /// Changes may have been missed: read anew what is shown. An event without data would be none.
    static func reset(id: String) -> ByteBuffer {
        ByteBuffer(string: "event: reset\nid: \(id)\ndata: {}\n\n")
    }
}
