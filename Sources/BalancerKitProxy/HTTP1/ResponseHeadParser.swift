/// A response's head, checked. Ranges are offsets into the bytes that it was read from.
struct ResponseHead: Sendable {
    var status = 0
    /// The reason phrase, possibly empty.
    var reason: Range<Int> = 0..<0
    var isHTTP11 = true
    var fields: FieldSection
    var connection = ConnectionOptions()
    var framing = BodyFraming.none

    init(limits: HeadLimits) {
        self.fields = FieldSection(maximumCount: limits.fieldCount, underscores: .kept)
    }

    /// Whether the upstream keeps the connection once this response is whole.
    var persists: Bool { self.connection.persists(isHTTP11: self.isHTTP11) && self.framing != .untilClose }
}

/// Reads a response's head from bytes that arrive in pieces, with the strictness of ``RequestHeadParser`` (RFC 9112 §4, §5).
///
/// An interim response (1xx) is a head of its own, after which the final one follows. `101` is final, and refused outright where no
/// upgrade was asked for.
struct ResponseHeadParser: Sendable {
    private enum Phase: Sendable {
        case startLine
        case fields(start: Int)
    }

    private var phase = Phase.startLine
    private var lines = LineReader()
    let limits: HeadLimits
    /// Whether the request asked for an upgrade.
    var mayUpgrade = false
    /// Valid once ``parse(_:isAnswerToHead:)`` has answered with a length, until ``reset()``.
    private(set) var head: ResponseHead

    init(limits: HeadLimits) {
        self.limits = limits
        self.head = ResponseHead(limits: limits)
    }

    /// Makes ready for the next message; storage is kept.
    mutating func reset() {
        self.phase = .startLine
        self.lines.reset()
        self.head.fields.removeAll()
    }

    /// Reads on. Returns the head's length once it is whole, nil before.
    ///
    /// - Parameters:
    ///   - bytes: all bytes since the end of the last message, those of earlier calls included.
    ///   - isAnswerToHead: whether the request's method was HEAD, so that no body follows.
    mutating func parse(_ bytes: UnsafeRawBufferPointer, isAnswerToHead: Bool) throws(HTTPViolation) -> Int? {
        while true {
            switch self.phase {
            case .startLine:
                let limit = self.limits.startLineLength
                guard let line = try self.lines.next(bytes, limit: limit, tooLong: .malformedStatusLine) else { return nil }
                try self.readStatusLine(bytes, line)
                self.phase = .fields(start: self.lines.lineStart)
            case .fields(let start):
                let remaining = self.limits.headerLength - (self.lines.lineStart - start)
                guard let line = try self.lines.next(bytes, limit: max(remaining, 2), tooLong: .headerTooLarge) else { return nil }
                guard line.isEmpty else {
                    try self.head.fields.add(bytes, line: line)
                    continue
                }
                try self.finish(bytes, isAnswerToHead: isAnswerToHead)
                return self.lines.lineStart
            }
        }
    }

    /// `HTTP/1.1 200 OK`. The space before an empty reason is often left out, and is not insisted on.
    private mutating func readStatusLine(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPViolation) {
        let start = line.lowerBound
        guard line.count >= 12, bytes[start + 8] == UInt8(ascii: " ") else { throw .malformedStatusLine }
        do {
            self.head.isHTTP11 = try HTTPVersion.isHTTP11(bytes, start..<(start + 8))
        } catch {
            throw .malformedStatusLine
        }
        var status = 0
        for index in (start + 9)..<(start + 12) {
            guard ByteClass.isDigit(bytes[index]) else { throw .malformedStatusLine }
            status = status * 10 + Int(bytes[index] - UInt8(ascii: "0"))
        }
        guard (100...599).contains(status) else { throw .malformedStatusLine }
        guard status != 101 || self.mayUpgrade else { throw .unsolicitedUpgrade }
        if line.count > 12 {
            guard bytes[start + 12] == UInt8(ascii: " ") else { throw .malformedStatusLine }
            self.head.reason = (start + 13)..<line.upperBound
        } else {
            self.head.reason = line.upperBound..<line.upperBound
        }
        self.head.status = status
    }

    private mutating func finish(_ bytes: UnsafeRawBufferPointer, isAnswerToHead: Bool) throws(HTTPViolation) {
        if self.head.status == 101 {
            // What follows is no HTTP any more.
            self.head.framing = .untilClose
        } else if self.head.status < 200 {
            self.head.framing = .none
        } else {
            self.head.framing = try BodyFraming.ofResponse(
                bytes, self.head.fields, isHTTP11: self.head.isHTTP11, status: self.head.status, isAnswerToHead: isAnswerToHead)
        }
        self.head.connection.read(bytes, self.head.fields)
    }
}
