/// The secret that a browser holds for its session: 256 random bits, written as 43 characters of base64url.
///
/// Whoever knows it *is* the user, so it shows itself in one place only, ``cookieValue``: descriptions, `dump` and reflection say
/// nothing, it is not `Codable`, and storages never see it (they get its hash, a ``SessionKey``). The bits come from the system's
/// cryptographic generator and mean nothing (OWASP Session Management Cheat Sheet asks for 64 bits of entropy at least).
public struct SessionID: Hashable, Sendable {
    /// The number of characters of every id.
    public static let length = 43

    private let text: String

    /// An id that nobody has had before.
    public init() {
        var generator = SystemRandomNumberGenerator()
        self.init(using: &generator)
    }

    package init(using generator: inout some RandomNumberGenerator) {
        var bytes: [UInt8] = []
        for _ in 0..<4 {
            let word = generator.next()
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        self.text = Base64URL.encode(bytes)
    }

    /// The id that a client presents, or nil when the text cannot be one: decided by form alone, before any storage is asked.
    ///
    /// Exactly 43 characters of `A–Z a–z 0–9 - _`, and the two bits by which the last character goes beyond 256 are zero, so that
    /// no two texts stand for one id.
    public init?(_ text: some StringProtocol) {
        var count = 0
        var last: UInt8 = 0
        for character in text.utf8 {
            guard count < Self.length, let bits = Base64URL.value(of: character) else { return nil }
            count += 1
            last = bits
        }
        guard count == Self.length, last & 0b11 == 0 else { return nil }
        self.text = String(text)
    }

    /// The secret itself, for the cookie and for nothing else.
    public var cookieValue: String { self.text }
}

extension SessionID: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "SessionID(secret)" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
