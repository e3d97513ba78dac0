import CScaleRabbitMQ
import QueueKit
import Testing

@testable import QueueKitRabbitMQ

@Suite struct AMQPFieldsTests {
    @Test func `a table is read as it was written`() throws {
        let object: JSONObject = [
            "null": nil, "yes": true, "no": false, "small": -7, "edge": .integer(Int64(Int32.max)), "large": .integer(.max),
            "least": .integer(.min), "double": 2.5, "text": "größer 😀", "empty": "", "list": [1, "two", nil, [3]],
            "table": ["inner": ["deep": 1]],
        ]
        let arena = AMQPArena()
        #expect(try AMQPFields.object(arena.table(object)) == object)
        withExtendedLifetime(arena) {}
    }

    @Test func `every kind of field that a peer may send is read`() throws {
        var field = amqp_field_value_t()
        func read(_ kind: Character, _ set: (inout amqp_field_value_t) -> Void) throws -> JSONValue? {
            field = amqp_field_value_t()
            field.kind = kind.asciiValue ?? 0
            set(&field)
            let key = Array("k".utf8)
            return try key.withUnsafeBytes { bytes in
                var entry = amqp_table_entry_t(
                    key: amqp_bytes_t(len: 1, bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress)), value: field)
                return try withUnsafeMutablePointer(to: &entry) {
                    try AMQPFields.object(amqp_table_t(num_entries: 1, entries: $0))["k"]
                }
            }
        }
        #expect(try read("b") { $0.value.i8 = -1 } == -1)
        #expect(try read("B") { $0.value.u8 = 255 } == 255)
        #expect(try read("s") { $0.value.i16 = -300 } == -300)
        #expect(try read("u") { $0.value.u16 = 65_535 } == 65_535)
        #expect(try read("I") { $0.value.i32 = .min } == .integer(Int64(Int32.min)))
        #expect(try read("i") { $0.value.u32 = .max } == .integer(Int64(UInt32.max)))
        #expect(try read("l") { $0.value.i64 = .min } == .integer(.min))
        #expect(try read("L") { $0.value.u64 = .max } == .bigInteger("18446744073709551615"))
        #expect(try read("T") { $0.value.u64 = 1_767_225_600 } == 1_767_225_600)
        #expect(try read("f") { $0.value.f32 = 0.5 } == 0.5)
        #expect(try read("d") { $0.value.f64 = -0.25 } == -0.25)
        #expect(try read("D") { $0.value.decimal = amqp_decimal_t(decimals: 2, value: 314) } == 3.14)
        #expect(try read("D") { $0.value.decimal = amqp_decimal_t(decimals: 255, value: 1) } != nil)
        #expect(try read("V") { _ in } == .null)
        #expect(try read("?") { _ in } == .null)
    }

    @Test func `tables that are nested too deeply are refused, and those that just are not are read`() throws {
        func nested(_ depth: Int) -> JSONObject {
            var object: JSONObject = ["end": 1]
            for _ in 1..<depth { object = ["in": .object(object)] }
            return object
        }
        let arena = AMQPArena()
        #expect(throws: AMQPFieldError.self) { try AMQPFields.object(arena.table(nested(65))) }
        #expect(try AMQPFields.object(arena.table(nested(32))) == nested(32))
        withExtendedLifetime(arena) {}
    }
}
