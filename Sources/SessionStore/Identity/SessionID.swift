import ScaleCore

/// The secret that a browser holds for its session: 256 random bits, written as 43 characters of base64url (RFC 4648 §5).
///
/// Whoever knows it *is* the user, so it shows itself in one place only, ``cookieValue``: descriptions, `dump` and reflection say
/// nothing, it is not `Codable`, and storages never see it (they get its hash, a ``SessionKey``). The bits come from the system's
/// cryptographic generator and mean nothing (OWASP's Session Management Cheat Sheet asks for 64 bits of entropy at least).
public struct SessionID: Hashable, Sendable {
    /// The number of characters of every id.
    public static let length = 43

    private let text: String

    /// An id that nobody has had before.
    public init() {
        self.text = Base64URL.encode(RandomSource.system.id256())
    }

    /// The id that a client presents, or nil when the text cannot be one: decided by form alone, before any storage is asked.
    ///
    /// Exactly 43 characters of `A–Z a–z 0–9 - _`, and the two bits by which the last character goes beyond 256 are zero, so that
    /// no two texts stand for one id.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == Self.length, Base64URL.decode(text) != nil else { return nil }
        self.text = String(text)
    }

    /// The secret itself, for the cookie and for nothing else.
    public var cookieValue: String { self.text }
}

extension SessionID: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "SessionID(***)" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
