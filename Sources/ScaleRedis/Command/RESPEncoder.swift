import NIOCore

/// Something that can write itself as one or more commands in RESP: an array of bulk strings each.
protocol WireCommand: Sendable {
    /// An upper bound of the encoded length in bytes.
    var encodedCapacity: Int { get }

    /// How many replies the server will send for it.
    var replyCount: Int { get }

    /// Writes the encoding; at most `encodedCapacity` bytes.
    func encode(into encoder: inout RESPEncoder)
}

extension WireCommand {
    /// Appends the encoding to `buffer`, growing it at most once.
    @inline(__always)
    func append(to buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: self.encodedCapacity) { target in
            var encoder = RESPEncoder(target: target)
            self.encode(into: &encoder)
            return encoder.count
        }
    }
}

/// Writes RESP into memory whose size was computed before.
///
/// Writing beyond the target's end is refused; the capacities computed by ``WireCommand`` make that
/// unreachable, and a test compares every encoding with hiredis' own.
struct RESPEncoder {
    private let target: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    /// Room for a header: type byte, 20 digits and CRLF.
    static let headerCapacity = 23

    init(target: UnsafeMutableRawBufferPointer) {
        self.target = target
    }

    /// Room that one bulk string of `length` bytes needs.
    @inline(__always)
    static func bulkCapacity(_ length: Int) -> Int {
        Self.headerCapacity &+ length &+ 2
    }

    /// Bytes that are RESP already.
    @inline(__always)
    mutating func writeEncoded(_ text: StaticString) {
        text.withUTF8Buffer { self.writeBytes(UnsafeRawBufferPointer($0)) }
    }

    /// `*count`: the number of bulk strings that follow.
    @inline(__always)
    mutating func writeArrayHeader(_ count: Int) {
        self.writeHeader(UInt8(ascii: "*"), count)
    }

    @inline(__always)
    mutating func writeBulk(_ string: String) {
        var string = string
        string.withUTF8 { self.writeBulk(UnsafeRawBufferPointer($0)) }
    }

    @inline(__always)
    mutating func writeBulk(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { self.writeBulk($0) }
    }

    mutating func writeBulk(_ value: Int64) {
        self.writeHeader(UInt8(ascii: "$"), decimalDigitCount(of: value))
        self.writeDecimal(value)
        self.writeLineEnd()
    }

    @inline(__always)
    mutating func writeBulk(_ argument: RedisArgument) {
        switch argument.storage {
        case .string(let string): self.writeBulk(string)
        case .bytes(let bytes): self.writeBulk(bytes)
        case .integer(let value): self.writeBulk(value)
        }
    }

    @inline(__always)
    private mutating func writeBulk(_ bytes: UnsafeRawBufferPointer) {
        self.writeHeader(UInt8(ascii: "$"), bytes.count)
        self.writeBytes(bytes)
        self.writeLineEnd()
    }

    @inline(__always)
    private mutating func writeBytes(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= self.target.count - self.count else { return }
        UnsafeMutableRawBufferPointer(rebasing: self.target[self.count...]).copyMemory(from: bytes)
        self.count += bytes.count
    }

    @inline(__always)
    private mutating func writeHeader(_ type: UInt8, _ number: Int) {
        self.writeByte(type)
        if number < 10 {
            self.writeByte(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number))
        } else {
            self.writeDecimal(Int64(number))
        }
        self.writeLineEnd()
    }

    private mutating func writeDecimal(_ value: Int64) {
        if value < 0 { self.writeByte(UInt8(ascii: "-")) }
        var magnitude = value.magnitude
        var end = self.count + decimalDigitCount(of: magnitude)
        let next = end
        guard next <= self.target.count else { return }
        repeat {
            end -= 1
            self.target[end] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: magnitude % 10)
            magnitude /= 10
        } while magnitude > 0
        self.count = next
    }

    @inline(__always)
    private mutating func writeLineEnd() {
        self.writeByte(0x0D)
        self.writeByte(0x0A)
    }

    @inline(__always)
    private mutating func writeByte(_ byte: UInt8) {
        guard self.count < self.target.count else { return }
        self.target[self.count] = byte
        self.count += 1
    }
}

/// The number of characters of `value` in decimal, with its sign.
func decimalDigitCount(of value: Int64) -> Int {
    decimalDigitCount(of: value.magnitude) + (value < 0 ? 1 : 0)
}

private func decimalDigitCount(of magnitude: UInt64) -> Int {
    var digits = 1
    var rest = magnitude / 10
    while rest > 0 {
        digits += 1
        rest /= 10
    }
    return digits
}

extension RedisCommand: WireCommand {
    var encodedCapacity: Int {
        var capacity = RESPEncoder.headerCapacity + RESPEncoder.bulkCapacity(self.name.utf8.count)
        for argument in self.arguments { capacity += RESPEncoder.bulkCapacity(argument.byteCount) }
        return capacity
    }

    var replyCount: Int { 1 }

    func encode(into encoder: inout RESPEncoder) {
        encoder.writeArrayHeader(self.arguments.count + 1)
        encoder.writeBulk(self.name)
        for argument in self.arguments { encoder.writeBulk(argument) }
    }
}

/// Several commands, written as one.
struct CommandBatch: WireCommand {
    let commands: [RedisCommand]

    var encodedCapacity: Int {
        self.commands.reduce(0) { $0 + $1.encodedCapacity }
    }

    var replyCount: Int { self.commands.count }

    func encode(into encoder: inout RESPEncoder) {
        for command in self.commands { command.encode(into: &encoder) }
    }
}
