/// A decoded value on its way to or from a store in this process, so that a hit decodes nothing.
///
/// The value is handed out as it is. A value type is thereby isolated from its users; of a class (which must be `Sendable`) all callers
/// get the same instance.
public class CachedObject: @unchecked Sendable {
    // Unchecked because a class that can be subclassed must say so: this one has constants only, and its one subclass, below, is
    // confined to this file and adds a constant of a Sendable type.

    /// The number of bytes that the value takes when encoded: what a bounded store counts.
    public let encodedSize: Int

    @usableFromInline let type: ObjectIdentifier

    fileprivate init(encodedSize: Int, type: ObjectIdentifier) {
        self.encodedSize = encodedSize
        self.type = type
    }

    /// An object around `value`, which takes `encodedSize` bytes when encoded.
    public static func make<Value: Sendable>(_ value: Value, encodedSize: Int) -> CachedObject {
        TypedObject(value, encodedSize: encodedSize)
    }

    /// The value, if it is of exactly this type. A comparison of identifiers, five times cheaper than a dynamic cast.
    @inlinable @inline(__always)
    public final func value<Value: Sendable>(as _: Value.Type) -> Value? {
        guard self.type == ObjectIdentifier(Value.self) else { return nil }
        return unsafeDowncast(self, to: TypedObject<Value>.self).value
    }
}

@usableFromInline final class TypedObject<Value: Sendable>: CachedObject, @unchecked Sendable {
    @usableFromInline let value: Value

    fileprivate init(_ value: Value, encodedSize: Int) {
        self.value = value
        super.init(encodedSize: encodedSize, type: ObjectIdentifier(Value.self))
    }
}
