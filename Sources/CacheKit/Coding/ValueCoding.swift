/// Turns values into records' bodies and back, for one type and codec at one store.
struct ValueCoding<Value: Sendable>: Sendable {
    let codec: CacheCodec<Value>
    let schema: UInt64
    let capabilities: CacheStoreCapabilities

    /// The body, flags and encoded size of `value`. Throws ``CacheError/Code/encodingFailed``.
    func encode(_ value: Value, key: String) throws(CacheError) -> (flags: CacheRecord.Flags, body: CacheRecord.Body) {
        if let optional = value as? any OptionalValue, optional.isNone {
            return ([.negative], self.body(value, []))
        }
        do {
            return ([], self.body(value, try self.codec.encode(value)))
        } catch {
            // The underlying error may quote the value, so only its type is told.
            throw CacheError(code: .encodingFailed, message: "the value cannot be encoded: \(type(of: error))", key: key)
        }
    }

    private func body(_ value: Value, _ bytes: [UInt8]) -> CacheRecord.Body {
        self.capabilities.keepsObjects ? .object(.make(value, encodedSize: bytes.count)) : .bytes(bytes)
    }

    /// The value of a record; `nil` where it is of another type or schema, or cannot be decoded.
    func decode(_ record: CacheRecord) -> Value? {
        guard record.schema == self.schema else { return nil }
        switch record.body {
        case .object(let object):
            return object.value(as: Value.self)
        case .bytes(let bytes):
            if record.flags.contains(.negative) { return (Value.self as? any OptionalValue.Type)?.none as? Value }
            return try? self.codec.decode(bytes)
        }
    }
}
