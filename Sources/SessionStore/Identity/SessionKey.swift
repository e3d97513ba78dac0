import Crypto
import ScaleCore

/// Under what a storage files a session: the SHA-256 of the id's 43 characters.
///
/// A copy of the storage (a backup, a `MONITOR` session, a stolen dump) therefore holds no usable cookie. The id has 256 random
/// bits, so the hash needs neither salt nor stretching.
public struct SessionKey: Hashable, Sendable {
    /// The hash, 64 lower-case hexadecimal digits.
    public let hexadecimal: String

    /// The key of an id.
    public init(_ id: SessionID) {
        self.hexadecimal = Hex.encode(SHA256.hash(data: Array(id.cookieValue.utf8)))
    }
}

extension SessionKey: CustomStringConvertible, CustomDebugStringConvertible {
    /// The first eight digits: enough to follow one session through a log, of no use to open it.
    public var description: String { "session:\(self.hexadecimal.prefix(8))" }
    public var debugDescription: String { self.description }
}
