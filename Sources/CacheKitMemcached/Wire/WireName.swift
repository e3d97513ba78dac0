import CacheKit
import Crypto
import ScaleCore

/// How keys, tags and sequences are spelled on Memcached's wire: 1 to 250 bytes of visible ASCII.
///
/// A space or a line end in a key would begin another command, and libmemcached checks keys with neither of its defaults. A name that has
/// such bytes, or bytes beyond ASCII, which some servers and clients take for spaces, is replaced by its SHA-256. `%!` marks it: in
/// the spelling of ``StorageName`` no name begins so, hence no two names share a key.
enum WireName {
    /// What the protocol allows.
    static let maximumLength = 250

    static func of(_ key: CacheKey) -> String { self.safe(StorageName.of(key, maximumLength: self.maximumLength)) }

    static func of(_ tag: CacheTag) -> String { self.safe(StorageName.of(tag, maximumLength: self.maximumLength)) }

    static func ofSequence(_ namespace: String) -> String {
        self.safe(StorageName.ofSequence(namespace: namespace, maximumLength: self.maximumLength))
    }

    private static func safe(_ name: String) -> String {
        if name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), (1...self.maximumLength).contains(name.utf8.count) { return name }
        return "%!" + Hex.encode(SHA256.hash(data: Array(name.utf8)))
    }
}
