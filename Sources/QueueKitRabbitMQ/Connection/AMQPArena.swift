internal import CScaleRabbitMQ
internal import QueueKit

/// C memory for the arguments of calls: strings and tables as rabbitmq-c takes them, given up together.
///
/// Most calls need less than a page, so one block serves one call after the other; see ``reset()``.
final class AMQPArena {
    private static let blockBytes = 16 * 1024

    private var block = UnsafeMutableRawPointer.allocate(byteCount: blockBytes, alignment: 16)
    private var used = 0
    /// What did not fit into the block.
    private var others: [UnsafeMutableRawPointer] = []

    deinit {
        self.reset()
        self.block.deallocate()
    }

    /// Everything handed out so far is invalid after this.
    func reset() {
        self.used = 0
        for other in self.others { other.deallocate() }
        self.others.removeAll()
    }

    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { self.bytes(UnsafeRawBufferPointer($0)) }
    }

    func bytes(_ bytes: [UInt8]) -> amqp_bytes_t {
        bytes.withUnsafeBytes { self.bytes($0) }
    }

    private func bytes(_ bytes: UnsafeRawBufferPointer) -> amqp_bytes_t {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return amqp_bytes_t(len: 0, bytes: nil) }
        let memory = self.allocate(bytes.count)
        memory.copyMemory(from: source, byteCount: bytes.count)
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
        self.allocate(max(count, 1) * MemoryLayout<Element>.stride).bindMemory(to: Element.self, capacity: max(count, 1))
    }

    /// Aligned for every type that rabbitmq-c has.
    private func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        let start = (self.used + 15) & ~15
        guard count <= Self.blockBytes - start else {
            let other = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
            self.others.append(other)
            return other
        }
        self.used = start + count
        return self.block + start
    }
}
