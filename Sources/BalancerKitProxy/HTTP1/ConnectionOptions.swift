/// What the Connection fields of a head ask for (RFC 9110 §7.6.1).
struct ConnectionOptions: Sendable {
    private(set) var hasClose = false
    private(set) var hasKeepAlive = false
    /// The names of fields that are meant for this connection alone. Nearly always empty.
    private(set) var nominated: [Range<Int>] = []

    mutating func read(_ bytes: UnsafeRawBufferPointer, _ fields: FieldSection) {
        self.hasClose = false
        self.hasKeepAlive = false
        if !self.nominated.isEmpty { self.nominated.removeAll(keepingCapacity: true) }
        guard fields.connectionCount > 0 else { return }
        for field in fields.fields where field.id == .connection {
            self.read(bytes, list: field.value)
        }
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer, list: Range<Int>) {
        ByteScan.forEachElement(bytes, list) { option in
            if ByteScan.equals(bytes, option, lowercase: "close") {
                self.hasClose = true
            } else if ByteScan.equals(bytes, option, lowercase: "keep-alive") {
                self.hasKeepAlive = true
            } else {
                self.nominated.append(option)
            }
        }
    }

    /// Whether the connection outlives the message (RFC 9112 §9.3).
    func persists(isHTTP11: Bool) -> Bool {
        !self.hasClose && (isHTTP11 || self.hasKeepAlive)
    }

    /// Whether the field is nominated, and so stays on this connection.
    func nominates(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Bool {
        !self.nominated.isEmpty && self.nominated.contains { ByteScan.equals(bytes, $0, name) }
    }
}
