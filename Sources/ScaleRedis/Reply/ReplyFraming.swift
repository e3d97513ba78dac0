/// Checks the framing of RESP2 replies, byte by byte, before hiredis' reader sees them.
///
/// The reader itself has no bounds on lengths, lines or arrays, accepts a bulk string without its closing CRLF, and reads what C's number
/// parser accepts. So every header is checked here first, and the reader is only given bytes that passed. The checks depend on
/// the bytes alone and never on how they were cut into reads; the bodies of bulk strings are skipped, not looked at.
struct ReplyFraming {
    private enum State {
        case type
        case line
        case integer
        case bulkLength
        case arrayLength
        case lineFeed(after: Line)
        case body(remaining: Int)
        case bodyCarriageReturn
        case bodyLineFeed
    }

    private enum Line {
        case text, integer, bulkLength, arrayLength
    }

    private let limits: RedisReplyLimits
    private var state = State.type
    private var line = LineNumber()
    private var lineLength = 0
    private var replyLength = 0
    /// For each open array, how many elements are still to come.
    private var open: [Int] = []

    init(limits: RedisReplyLimits) {
        var limits = limits
        limits.nesting = min(limits.nesting, 8)
        self.limits = limits
    }

    /// Checks the next bytes of the stream and counts in `accepted` those that are right. After it has thrown, the stream is lost.
    mutating func check(_ bytes: UnsafeRawBufferPointer, accepted: inout Int) throws(ReplyFault) {
        while accepted < bytes.count {
            if case .body(let remaining) = self.state {
                let skipped = min(remaining, bytes.count - accepted)
                try self.count(skipped)
                self.state = skipped == remaining ? .bodyCarriageReturn : .body(remaining: remaining - skipped)
                accepted += skipped
            } else {
                try self.count(1)
                try self.accept(bytes[accepted])
                accepted += 1
            }
        }
    }

    private mutating func count(_ bytes: Int) throws(ReplyFault) {
        self.replyLength += bytes
        guard self.replyLength <= self.limits.replyBytes else { throw .replyTooLong(limit: self.limits.replyBytes) }
    }

    private mutating func accept(_ byte: UInt8) throws(ReplyFault) {
        switch self.state {
        case .type: try self.begin(byte)
        case .line: try self.acceptText(byte)
        case .integer: try self.acceptDigit(byte, of: .integer)
        case .bulkLength: try self.acceptDigit(byte, of: .bulkLength)
        case .arrayLength: try self.acceptDigit(byte, of: .arrayLength)
        case .lineFeed(let line):
            guard byte == 0x0A else { throw .brokenLineEnd }
            try self.endLine(line)
        case .body(let remaining):
            self.state = remaining > 1 ? .body(remaining: remaining - 1) : .bodyCarriageReturn
        case .bodyCarriageReturn:
            guard byte == 0x0D else { throw .brokenLineEnd }
            self.state = .bodyLineFeed
        case .bodyLineFeed:
            guard byte == 0x0A else { throw .brokenLineEnd }
            self.endElement()
        }
    }

    private mutating func begin(_ byte: UInt8) throws(ReplyFault) {
        self.lineLength = 0
        self.line = LineNumber()
        switch byte {
        case UInt8(ascii: "+"), UInt8(ascii: "-"): self.state = .line
        case UInt8(ascii: ":"): self.state = .integer
        case UInt8(ascii: "$"): self.state = .bulkLength
        case UInt8(ascii: "*"):
            guard self.open.count < self.limits.nesting else { throw .nestedTooDeep(limit: self.limits.nesting) }
            self.state = .arrayLength
        default: throw .unknownType(byte)
        }
    }

    private mutating func acceptText(_ byte: UInt8) throws(ReplyFault) {
        switch byte {
        case 0x0D:
            self.state = .lineFeed(after: .text)
        case 0x0A:
            throw .brokenLineEnd
        default:
            self.lineLength += 1
            guard self.lineLength <= self.limits.lineBytes else { throw .lineTooLong(limit: self.limits.lineBytes) }
        }
    }

    private mutating func acceptDigit(_ byte: UInt8, of line: Line) throws(ReplyFault) {
        if byte == 0x0D {
            self.state = .lineFeed(after: line)
        } else if !self.line.append(byte) {
            throw line == .integer ? .malformedInteger : .malformedLength
        }
    }

    private mutating func endLine(_ line: Line) throws(ReplyFault) {
        switch line {
        case .text:
            self.endElement()
        case .integer:
            guard self.line.value != nil else { throw .malformedInteger }
            self.endElement()
        case .bulkLength:
            guard let length = self.line.length else { throw .malformedLength }
            guard length <= self.limits.bulkBytes else { throw .bulkTooLong(length, limit: self.limits.bulkBytes) }
            if length < 0 {
                self.endElement()
            } else {
                self.state = length == 0 ? .bodyCarriageReturn : .body(remaining: length)
            }
        case .arrayLength:
            guard let count = self.line.length else { throw .malformedLength }
            guard count <= self.limits.arrayElements else { throw .arrayTooLong(count, limit: self.limits.arrayElements) }
            if count <= 0 {
                self.endElement()
            } else {
                self.open.append(count)
                self.state = .type
            }
        }
    }

    /// One value is complete: closes every array whose last element it was.
    private mutating func endElement() {
        self.state = .type
        while let remaining = self.open.last {
            if remaining > 1 {
                self.open[self.open.count - 1] = remaining - 1
                return
            }
            self.open.removeLast()
        }
        self.replyLength = 0
    }
}

/// A decimal number that arrives digit by digit, in the one form that servers write: `0`, or an optional minus and then 1 to 19 digits
/// of which the first is not 0, within the range of Int64.
private struct LineNumber {
    private var magnitude: UInt64 = 0
    private var digits = 0
    private var isNegative = false

    /// False when the byte cannot be part of such a number.
    mutating func append(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            // Nothing follows a leading zero; 19 digits stay below 10^19, which UInt64 holds.
            guard self.digits < 19, self.digits == 0 || self.magnitude > 0 else { return false }
            self.magnitude = self.magnitude &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
            self.digits += 1
            return true
        case UInt8(ascii: "-"):
            guard self.digits == 0, !self.isNegative else { return false }
            self.isNegative = true
            return true
        default:
            return false
        }
    }

    var value: Int64? {
        guard self.digits > 0 else { return nil }
        guard self.isNegative else { return Int64(exactly: self.magnitude) }
        guard self.magnitude > 0 else { return nil }
        return self.magnitude == Int64.min.magnitude ? .min : Int64(exactly: self.magnitude).map { -$0 }
    }

    /// The value as a length: digits, or -1 for null.
    var length: Int? {
        guard let value = self.value, value >= -1 else { return nil }
        return Int(exactly: value)
    }
}
