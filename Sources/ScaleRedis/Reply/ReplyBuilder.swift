import CScaleHiredis

/// Builds Swift values from hiredis' reader callbacks, without a C object in between.
///
/// The reader asks for objects depth first and identifies them by an opaque pointer. Nothing needs to stand behind that pointer: a value
/// is complete as soon as its callback runs, and an array as soon as its last element does. So every callback returns the same non-null
/// pointer, unfinished arrays wait on a stack here, and there is nothing for the reader to free, also not on an error half way.
final class ReplyBuilder {
    private struct OpenArray {
        var remaining: Int
        var elements: [RedisValue]
    }

    private var open: [OpenArray] = []
    private var root: RedisValue?

    /// The whole reply that the reader has just finished.
    func takeReply() -> RedisValue? {
        defer { self.root = nil }
        return self.root
    }

    fileprivate func complete(_ value: RedisValue) {
        var value = value
        while let last = self.open.indices.last {
            self.open[last].elements.append(value)
            self.open[last].remaining -= 1
            guard self.open[last].remaining <= 0 else { return }
            value = .array(self.open.removeLast().elements)
        }
        self.root = value
    }

    fileprivate func beginArray(count: Int) {
        guard count > 0 else { return self.complete(.array([])) }
        var elements: [RedisValue] = []
        // The header is only a promise: room for what a server usually sends, never for what it claims.
        elements.reserveCapacity(min(count, 64))
        self.open.append(OpenArray(remaining: count, elements: elements))
    }

    /// The table of callbacks that a reader is made with. It must live as long as the reader.
    static func makeFunctions() -> redisReplyObjectFunctions {
        redisReplyObjectFunctions(
            createString: { task, characters, length in
                ReplyBuilder.build(task) { builder, type in
                    let bytes = UnsafeRawBufferPointer(start: characters, count: length)
                    switch type {
                    case REDIS_REPLY_STATUS: builder.complete(.status(String(decoding: bytes, as: UTF8.self)))
                    case REDIS_REPLY_ERROR: builder.complete(.error(RedisServerError(String(decoding: bytes, as: UTF8.self))))
                    default: builder.complete(.bulk([UInt8](bytes)))
                    }
                }
            },
            createArray: { task, count in
                ReplyBuilder.build(task) { builder, _ in builder.beginArray(count: Int(count)) }
            },
            createInteger: { task, value in
                ReplyBuilder.build(task) { builder, _ in builder.complete(.integer(value)) }
            },
            createNil: { task in
                ReplyBuilder.build(task) { builder, _ in builder.complete(.null) }
            },
            freeObject: { _ in }
        )
    }

    /// Runs `body` with the builder that the reader carries; the result is what the reader takes for the object.
    @inline(__always)
    private static func build(
        _ task: UnsafePointer<redisReadTask>?, _ body: (ReplyBuilder, Int32) -> Void
    ) -> UnsafeMutableRawPointer? {
        guard let task, let context = task.pointee.privdata else { return nil }
        body(Unmanaged<ReplyBuilder>.fromOpaque(context).takeUnretainedValue(), task.pointee.type)
        return context
    }
}
