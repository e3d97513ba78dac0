@testable import ScaleRedis

/// What a reader makes of bytes that arrive in the given pieces: the replies, and the fault if there was one.
struct Reading: Equatable {
    var replies: [RedisValue] = []
    var fault: ReplyFault?

    init(_ pieces: [[UInt8]], limits: RedisReplyLimits = .init()) {
        let reader = ReplyReader(limits: limits)
        for piece in pieces where self.fault == nil {
            do throws(ReplyFault) {
                // A copy of exactly this length, so that a read beyond its end is noticed under the address sanitizer.
                try Self.withBytes(piece) { bytes throws(ReplyFault) in try reader.feed(bytes, into: &self.replies) }
            } catch {
                self.fault = error
            }
        }
    }

    private static func withBytes(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(ReplyFault) -> Void
    ) throws(ReplyFault) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { memory.deallocate() }
        memory.copyBytes(from: bytes)
        try body(UnsafeRawBufferPointer(memory))
    }
}

/// Every way to cut bytes into two, and byte by byte.
func everySplit(_ bytes: [UInt8]) -> [[[UInt8]]] {
    var splits = (0...bytes.count).map { [Array(bytes[..<$0]), Array(bytes[$0...])] }
    splits.append(bytes.map { [$0] })
    return splits
}
