internal import CScaleRabbitMQ
internal import QueueKit

/// C memory for the arguments of one call: strings and tables as rabbitmq-c takes them, freed together.
final class AMQPArena {
    private var allocations: [UnsafeMutableRawPointer] = []

    deinit {
        for allocation in self.allocations { allocation.deallocate() }
    }

    func bytes(_ text: String) -> amqp_bytes_t {
        self.bytes(Array(text.utf8))
    }

    func bytes(_ bytes: [UInt8]) -> amqp_bytes_t {
        guard !bytes.isEmpty else { return amqp_bytes_t(len: 0, bytes: nil) }
        let memory = self.allocate(UInt8.self, count: bytes.count)
        memory.update(from: bytes, count: bytes.count)
        return amqp_bytes_t(len: bytes.count, bytes: memory)
    }

    func table(_ object: JSONObject) -> amqp_table_t {
        guard !object.isEmpty else { return amqp_table_t(num_entries: 0, entries: nil) }
        let entries = self.allocate(amqp_table_entry_t.self, count: object.count)
        var count = 0
        for (key, value) in object {
            // A key is a short string on the wire.
            guard key.utf8.count <= 255 else { continue }
            entries[count] = amqp_table_entry_t(key: self.bytes(key), value: self.field(value))
            count += 1
        }
        return amqp_table_t(num_entries: Int32(clamping: count), entries: entries)
    }

    /// A value by the types that py-amqp writes: `I` or `l` for integers, `d`, `t`, `S`, `V`, `A`, `F`.
    private func field(_ value: JSONValue) -> amqp_field_value_t {
        var field = amqp_field_value_t()
        switch value {
        case .null:
            field.kind = UInt8(ascii: "V")
        case .bool(let value):
            field.kind = UInt8(ascii: "t")
            field.value.boolean = value ? 1 : 0
        case .integer(let value):
            if let small = Int32(exactly: value) {
                field.kind = UInt8(ascii: "I")
                field.value.i32 = small
            } else {
                field.kind = UInt8(ascii: "l")
                field.value.i64 = value
            }
        case .bigInteger(let digits):
            field.kind = UInt8(ascii: "S")
            field.value.bytes = self.bytes(digits)
        case .double(let value):
            field.kind = UInt8(ascii: "d")
            field.value.f64 = value
        case .string(let value):
            field.kind = UInt8(ascii: "S")
            field.value.bytes = self.bytes(value)
        case .array(let values):
            field.kind = UInt8(ascii: "A")
            let entries = self.allocate(amqp_field_value_t.self, count: values.count)
            for (index, value) in values.enumerated() { entries[index] = self.field(value) }
            field.value.array = amqp_array_t(num_entries: Int32(clamping: values.count), entries: entries)
        case .object(let object):
            field.kind = UInt8(ascii: "F")
            field.value.table = self.table(object)
        }
        return field
    }

    private func allocate<Element>(_: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(count, 1))
        self.allocations.append(memory)
        return memory
    }
}
