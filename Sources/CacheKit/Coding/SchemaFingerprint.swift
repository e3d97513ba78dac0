import Crypto
import ScaleCore

/// A type that says itself which of its layouts are compatible.
///
/// Entries written under another schema name are a miss and are replaced. A type that does not conform has its full name; a
/// change of its properties is then noticed when decoding fails.
public protocol CacheSchema {
    /// For instance `"profile-2"`.
    static var cacheSchema: String { get }
}

/// What a body was encoded from: the first 8 bytes of SHA-256 over the codec's name, a zero byte and the type's schema name.
enum SchemaFingerprint {
    static func of<Value>(_ type: Value.Type, codec: String) -> UInt64 {
        let digest = SHA256.hash(data: Array(codec.utf8) + [0] + Array(self.name(of: type).utf8))
        return digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The type's own schema name, or its full name.
    static func name<Value>(of type: Value.Type) -> String {
        if let type = type as? any CacheSchema.Type { return type.cacheSchema }
        if let type = type as? any OptionalValue.Type, let inner = type.wrappedSchemaName { return "Optional<\(inner)>" }
        return self.withoutAddresses(String(reflecting: type))
    }

    /// Names of private and local types carry the address of their context, which differs from one build to the next.
    static func withoutAddresses(_ name: String) -> String {
        var rest = Substring(name)
        var result = ""
        let opening = "(unknown context at $"
        while let start = rest.firstRange(of: opening) {
            result += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            guard let end = rest.firstIndex(of: ")") else { break }
            rest = rest[rest.index(after: end)...]
            if rest.first == "." { rest = rest.dropFirst() }
        }
        return result + rest
    }
}

/// Fingerprints by type and codec, so that a call computes no digest.
final class SchemaRegistry: Sendable {
    private struct Key: Hashable {
        let type: ObjectIdentifier
        let codec: String
    }

    private let known = Locked<[Key: UInt64]>([:])

    func fingerprint<Value>(of type: Value.Type, codec: String) -> UInt64 {
        let key = Key(type: ObjectIdentifier(type), codec: codec)
        if let known = self.known.withLock({ $0[key] }) { return known }
        let fingerprint = SchemaFingerprint.of(type, codec: codec)
        self.known.withLock { $0[key] = fingerprint }
        return fingerprint
    }
}

/// Tells from inside a generic function whether its type is an optional, and which of its values is `nil`.
protocol OptionalValue {
    static var none: Self { get }
    var isNone: Bool { get }
    static var wrappedSchemaName: String? { get }
}

extension Optional: OptionalValue {
    var isNone: Bool { self == nil }

    static var wrappedSchemaName: String? { (Wrapped.self as? any CacheSchema.Type)?.cacheSchema }
}
