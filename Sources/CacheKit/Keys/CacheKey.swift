import ScaleCore

/// What a store files an entry under: a name inside a namespace.
///
/// Names are compared by their UTF-8 bytes, as every backend compares them: "é" as one scalar and "é" as "e" with a combining accent
/// are two keys, although they are equal as Swift strings.
public struct CacheKey: Hashable, Sendable {
    /// Keys of different namespaces never meet.
    public let namespace: String
    /// Any string, the empty one included.
    public let name: String

    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    public static func == (left: CacheKey, right: CacheKey) -> Bool {
        left.name.hasSameBytes(as: right.name) && left.namespace.hasSameBytes(as: right.namespace)
    }

    public func hash(into hasher: inout Hasher) {
        self.name.hashBytes(into: &hasher)
        self.namespace.hashBytes(into: &hasher)
    }
}

/// A tag inside a namespace. Entries carry tags, and one invalidation ends all entries of a tag.
public struct CacheTag: Hashable, Sendable {
    public let namespace: String
    /// The empty name is the namespace's own tag, which every entry of the namespace carries.
    public let name: String

    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    public static func == (left: CacheTag, right: CacheTag) -> Bool {
        left.name.hasSameBytes(as: right.name) && left.namespace.hasSameBytes(as: right.namespace)
    }

    public func hash(into hasher: inout Hasher) {
        self.name.hashBytes(into: &hasher)
        self.namespace.hashBytes(into: &hasher)
    }
}
