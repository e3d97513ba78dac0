/// The name of a worker among its peers: `name@host`, as Celery has it.
enum NodeName {
    /// A queue's name, which begins with it, must not be longer than 255 bytes.
    private static let maximumBytes = 200

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
