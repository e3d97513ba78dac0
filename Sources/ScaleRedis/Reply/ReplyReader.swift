import CScaleHiredis

/// Turns a stream of bytes into replies: our framing checks, then hiredis' reader, then Swift values.
///
/// Used by one connection on its event loop only. After ``feed(_:into:)`` has thrown, the stream is lost, and every further call throws
/// the same fault.
final class ReplyReader {
    /// hiredis moves the unread rest of its buffer to the front after each reply, which is quadratic for a large buffer of small replies;
    /// it never holds more than one such slice beyond an unfinished reply.
    private static let sliceBytes = 16 * 1024

    /// An idle buffer larger than this is given back to the system.
    private static let idleBufferBytes = 1024 * 1024

    private var framing: ReplyFraming
    private let builder = ReplyBuilder()
    private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let reader: UnsafeMutablePointer<redisReader>?
    private var fault: ReplyFault?

    init(limits: RedisReplyLimits) {
        self.framing = ReplyFraming(limits: limits)
        self.functions = .allocate(capacity: 1)
        self.functions.initialize(to: ReplyBuilder.makeFunctions())
        self.reader = redisReaderCreateWithFunctions(self.functions)
        if let reader = self.reader {
            reader.pointee.privdata = Unmanaged.passUnretained(self.builder).toOpaque()
            reader.pointee.maxbuf = Self.idleBufferBytes
        } else {
            self.fault = .refusedByReader("out of memory")
        }
    }

    deinit {
        if let reader = self.reader { redisReaderFree(reader) }
        self.functions.deinitialize(count: 1)
        self.functions.deallocate()
    }

    /// Appends every reply that is complete with these bytes to `replies`. Replies before a fault are delivered, too.
    func feed(_ bytes: UnsafeRawBufferPointer, into replies: inout [RedisValue]) throws(ReplyFault) {
        if let fault = self.fault { throw fault }
        var rest = bytes[...]
        while !rest.isEmpty {
            let slice = rest.prefix(Self.sliceBytes)
            rest = rest.dropFirst(slice.count)
            do {
                try self.read(UnsafeRawBufferPointer(rebasing: slice), into: &replies)
            } catch {
                self.fault = error
                throw error
            }
        }
    }

    private func read(_ slice: UnsafeRawBufferPointer, into replies: inout [RedisValue]) throws(ReplyFault) {
        var accepted = 0
        do {
            try self.framing.check(slice, accepted: &accepted)
        } catch {
            // What came before the fault is as good as it would be had it arrived in a read of its own.
            try self.drain(UnsafeRawBufferPointer(rebasing: slice[..<accepted]), into: &replies)
            throw error
        }
        try self.drain(slice, into: &replies)
    }

    private func drain(_ bytes: UnsafeRawBufferPointer, into replies: inout [RedisValue]) throws(ReplyFault) {
        guard let reader = self.reader else { throw .refusedByReader("out of memory") }
        guard redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count) == REDIS_OK else {
            throw self.readerFault(reader)
        }
        while true {
            var reply: UnsafeMutableRawPointer?
            guard redisReaderGetReply(reader, &reply) == REDIS_OK else { throw self.readerFault(reader) }
            guard reply != nil, let value = self.builder.takeReply() else { return }
            replies.append(value)
        }
    }

    private func readerFault(_ reader: UnsafeMutablePointer<redisReader>) -> ReplyFault {
        // The reader's own message may quote a byte, never more.
        let message = withUnsafeBytes(of: &reader.pointee.errstr) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return .refusedByReader(message)
    }
}
