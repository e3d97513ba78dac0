internal import ScaleCore

/// The name of a worker among its peers: `name@host`, as Celery has it.
enum NodeName {
    /// A queue's name, which begins with it, must not be longer than 255 bytes.
    private static let maximumBytes = 200

    private static let unnamed = Locked(0)

    /// A name for a worker that has been given none. Two of one name share a mailbox, which only one of them can have: the other would be
    /// neither seen nor told what is revoked. So each on a machine has its own.
    static func fresh(process: Int64) -> String {
        let number = self.unnamed.withLock { count in
            count += 1
            return count
        }
        return number == 1 ? "swift-\(process)" : "swift-\(process)-\(number)"
    }

    /// - Parameter host: added when the name has no host.
    static func make(_ name: String, host: String) -> String {
        let printable = String(String.UnicodeScalarView(name.unicodeScalars.filter { $0.properties.generalCategory != .control }))
        let base = printable.isEmpty ? "swift" : printable
        let full = base.contains("@") ? base : "\(base)@\(host)"
        var cut = full
        while cut.utf8.count > Self.maximumBytes { cut.unicodeScalars.removeLast() }
        return cut
    }
}
