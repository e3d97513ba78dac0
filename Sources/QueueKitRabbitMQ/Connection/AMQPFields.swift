internal import CScaleRabbitMQ
internal import QueueKit

/// Reads what rabbitmq-c has decoded, all kinds of fields that a peer may send. Everything is copied: the memory is the library's.
enum AMQPFields {
    /// Deeper tables are not read: the message that carries one is not understood.
    static let maximumDepth = 64

    static func text(_ bytes: amqp_bytes_t) -> String {
        String(decoding: Self.bytes(bytes), as: UTF8.self)
    }

    static func bytes(_ bytes: amqp_bytes_t) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.bytes == nil ? 0 : bytes.len)
    }

    /// - Throws: ``AMQPFieldError`` when it is nested too deeply.
    static func object(_ table: amqp_table_t, depth: Int = 0) throws(AMQPFieldError) -> JSONObject {
        guard depth < Self.maximumDepth else { throw AMQPFieldError() }
        var object = JSONObject()
        object.reserve(min(max(0, Int(table.num_entries)), 64))
        for index in 0..<Int(table.num_entries) {
            guard let entry = table.entries?[index] else { break }
            object[Self.text(entry.key)] = try Self.value(entry.value, depth: depth + 1)
        }
        return object
    }

    private static func value(_ field: amqp_field_value_t, depth: Int) throws(AMQPFieldError) -> JSONValue {
        switch UnicodeScalar(field.kind) {
        case "t": return .bool(field.value.boolean != 0)
        case "b": return .integer(Int64(field.value.i8))
        case "B": return .integer(Int64(field.value.u8))
        case "s": return .integer(Int64(field.value.i16))
        case "u": return .integer(Int64(field.value.u16))
        case "I": return .integer(Int64(field.value.i32))
        case "i": return .integer(Int64(field.value.u32))
        case "l": return .integer(field.value.i64)
        case "L", "T": return Int64(exactly: field.value.u64).map(JSONValue.integer) ?? .bigInteger("\(field.value.u64)")
        case "f": return .double(Double(field.value.f32))
        case "d": return .double(field.value.f64)
        case "D":
            let decimal = field.value.decimal
            return .double(Double(decimal.value) / Self.powerOfTen(decimal.decimals))
        case "S", "x": return .string(Self.text(field.value.bytes))
        case "A":
            guard depth < Self.maximumDepth else { throw AMQPFieldError() }
            let array = field.value.array
            var values: [JSONValue] = []
            values.reserveCapacity(min(max(0, Int(array.num_entries)), 64))
            for index in 0..<Int(array.num_entries) {
                guard let entry = array.entries?[index] else { break }
                values.append(try Self.value(entry, depth: depth + 1))
            }
            return .array(values)
        case "F": return .object(try Self.object(field.value.table, depth: depth))
        default: return .null
        }
    }

    private static func powerOfTen(_ exponent: UInt8) -> Double {
        (0..<exponent).reduce(1) { power, _ in power * 10 }
    }
}

/// A table that is nested more deeply than anybody means.
struct AMQPFieldError: Error {}
