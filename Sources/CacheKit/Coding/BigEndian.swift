/// Integers as bytes, most significant first: the order of a record's head and of epochs at a store.
public enum BigEndian {
    /// As many bytes as the type has.
    public static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    /// The integer that `bytes` spell; `nil` unless there are exactly as many as the type has.
    public static func integer<Value: FixedWidthInteger>(_: Value.Type, _ bytes: some Collection<UInt8>) -> Value? {
        guard bytes.count == Value.bitWidth / 8 else { return nil }
        var value: Value = 0
        for byte in bytes { value = value << 8 | Value(truncatingIfNeeded: byte) }
        return value
    }
}
