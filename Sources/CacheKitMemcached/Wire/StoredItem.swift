/// What a server returned for a key.
struct StoredItem: Sendable {
    var bytes: [UInt8]
    var flags: UInt32
    /// Names this very writing of the item, on the connection by which it came.
    var number: UInt64
    /// Which of the server's connections that is.
    var connection: UInt64
}

/// What is to be stored for a key.
struct NewItem: Sendable {
    var bytes: [UInt8]
    var flags: UInt32 = 0
    /// As the command takes it; see ``WireExpiry``.
    var expiry: Int
}
