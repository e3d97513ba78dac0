import Crypto
import ScaleCore

/// How keys, tags and sequences are spelled in a store that has one flat space of names: `namespace:kind:name`.
///
/// The spelling is injective. `:` and `%` are escaped in the namespace, so its end is never in doubt, and a name that is too long for
/// the store is replaced by its SHA-256 under a kind of its own, so that neither two long names with a common beginning nor a short
/// name that happens to look like a digest can meet.
public enum StorageName {
    /// The spelling of an entry's key, at most `maximumLength` UTF-8 bytes (values under 160 count as 160).
    public static func of(_ key: CacheKey, maximumLength: Int) -> String {
        self.spell(namespace: key.namespace, kind: "v", hashedKind: "h", name: key.name, maximumLength: maximumLength)
    }

    /// The spelling of the key that holds a tag's epoch.
    public static func of(_ tag: CacheTag, maximumLength: Int) -> String {
        self.spell(namespace: tag.namespace, kind: "t", hashedKind: "u", name: tag.name, maximumLength: maximumLength)
    }

    /// The spelling of the key that holds a namespace's sequence.
    public static func ofSequence(namespace: String, maximumLength: Int) -> String {
        self.spell(namespace: namespace, kind: "s", hashedKind: "s", name: "", maximumLength: maximumLength)
    }

    private static func spell(namespace: String, kind: String, hashedKind: String, name: String, maximumLength: Int) -> String {
        let limit = max(maximumLength, 160)
        var space = self.escape(namespace)
        // Room for the kind, two colons and the 64 digits of a hashed name. `%~` is no escape, so it marks a hashed namespace.
        if space.utf8.count > limit - 68 { space = "%~" + self.digest(namespace) }
        let plain = "\(space):\(kind):\(name)"
        return plain.utf8.count <= limit ? plain : "\(space):\(hashedKind):\(self.digest(name))"
    }

    private static func escape(_ namespace: String) -> String {
        guard namespace.utf8.contains(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "%") }) else { return namespace }
        var escaped: [UInt8] = []
        for byte in namespace.utf8 {
            switch byte {
            case UInt8(ascii: ":"): escaped += Array("%3A".utf8)
            case UInt8(ascii: "%"): escaped += Array("%25".utf8)
            default: escaped.append(byte)
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }

    private static func digest(_ text: String) -> String {
        Hex.encode(SHA256.hash(data: Array(text.utf8)))
    }
}
