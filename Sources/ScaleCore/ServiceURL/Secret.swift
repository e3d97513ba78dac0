/// A password or token that no print, dump, log line or error shows.
///
/// The text is reachable by ``reveal()`` alone. `description`, `debugDescription`, string interpolation, `dump` and mirrors show
/// `***`, and there is no `Codable` conformance by which it could slip into a stored record.
public struct Secret: Sendable {
    private let text: String

    public init(_ text: String) {
        self.text = text
    }

    /// The secret itself, for the one place that sends it to the server.
    public func reveal() -> String {
        self.text
    }
}

extension Secret: Hashable {
    /// Compares the UTF-8 bytes, in a time that depends on the lengths alone.
    public static func == (left: Secret, right: Secret) -> Bool {
        let (left, right) = (left.text.utf8, right.text.utf8)
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    public func hash(into hasher: inout Hasher) {
        for byte in self.text.utf8 { hasher.combine(byte) }
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "***" }

    public var debugDescription: String { "***" }

    public var customMirror: Mirror { Mirror(self, children: []) }
}
