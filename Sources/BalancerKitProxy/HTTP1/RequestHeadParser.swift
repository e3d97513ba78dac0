/// Reads a request's head from bytes that arrive in pieces (RFC 9112 §3, §5).
///
/// A value without I/O. ``parse(_:)`` is given everything since the end of the last message, and answers whether that is a head, the
/// beginning of one, or breaks a rule; how the bytes are cut into pieces makes no difference. Each line is checked when its end
/// arrives, and bounded while it has not.
struct RequestHeadParser: Sendable {
    enum Progress: Equatable, Sendable {
        /// More bytes are needed.
        case incomplete
        /// The head takes up so many bytes; what follows is the body, or the next request.
        case complete(length: Int)
    }

    private enum Phase: Sendable {
        case startLine
        case fields(start: Int)
    }

    private var phase = Phase.startLine
    private var lines = LineReader()
    private var emptyLines = 0
    let limits: HeadLimits
    /// Valid once ``parse(_:)`` has answered ``Progress/complete(length:)``, until ``reset()``.
    private(set) var head: RequestHead

    init(limits: HeadLimits) {
        self.limits = limits
        self.head = RequestHead(limits: limits)
    }

    /// Whether anything but empty lines is among the bytes received since the last message.
    func hasBegun(received: Int) -> Bool {
        switch self.phase {
        case .startLine: received > self.lines.lineStart
        case .fields: true
        }
    }

    /// Makes ready for the next message; storage is kept.
    mutating func reset() {
        self.phase = .startLine
        self.lines.reset()
        self.emptyLines = 0
        self.head.fields.removeAll()
        self.head.target = nil
        self.head.authority = nil
        self.head.expectsContinue = false
    }

    /// Reads on.
    ///
    /// - Parameter bytes: all bytes since the end of the last message, those of earlier calls included.
    mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPViolation) -> Progress {
        while true {
            switch self.phase {
            case .startLine:
                guard let line = try self.lines.next(bytes, limit: self.limits.startLineLength, tooLong: .targetTooLong) else {
                    return .incomplete
                }
                try self.readStartLine(bytes, line)
            case .fields(let start):
                let remaining = self.limits.headerLength - (self.lines.lineStart - start)
                guard let line = try self.lines.next(bytes, limit: max(remaining, 2), tooLong: .headerTooLarge) else { return .incomplete }
                guard line.isEmpty else {
                    try self.head.fields.add(bytes, line: line)
                    continue
                }
                try self.finish(bytes)
                return .complete(length: self.lines.lineStart)
            }
        }
    }

    private mutating func readStartLine(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPViolation) {
        guard !line.isEmpty else {
            self.emptyLines += 1
            guard self.emptyLines <= self.limits.emptyLines else { throw .tooManyEmptyLines }
            return
        }
        try self.readRequestLine(bytes, line)
        self.phase = .fields(start: self.lines.lineStart)
    }

    private mutating func readRequestLine(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPViolation) {
        let space = UInt8(ascii: " ")
        var methodEnd = line.lowerBound
        while methodEnd < line.upperBound, bytes[methodEnd] != space {
            guard ByteClass.isMethod(bytes[methodEnd]) else { throw .malformedMethod }
            methodEnd += 1
        }
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound else { throw .malformedRequestLine }
        let method = line.lowerBound..<methodEnd
        let targetStart = methodEnd + 1
        guard let targetEnd = (targetStart..<line.upperBound).first(where: { bytes[$0] == space }) else { throw .malformedRequestLine }
        guard targetEnd - targetStart <= self.limits.targetLength else { throw .targetTooLong }
        self.head.methodName = method
        self.head.method = try RequestMethod.of(bytes, method)
        self.head.target = try RequestTarget(bytes, targetStart..<targetEnd)
        self.head.isHTTP11 = try HTTPVersion.isHTTP11(bytes, (targetEnd + 1)..<line.upperBound)
    }

    /// What can be said only when all lines are there.
    private mutating func finish(_ bytes: UnsafeRawBufferPointer) throws(HTTPViolation) {
        let fields = self.head.fields
        let isHTTP11 = self.head.isHTTP11
        if fields.authorization == .repeated { throw .repeatedAuthorization }
        switch fields.host {
        case .repeated: throw .repeatedHost
        case .once(let index): self.head.authority = try Authority(bytes, fields.fields[index].value)
        case .absent: if isHTTP11 { throw .missingHost }
        }
        if let authority = self.head.target?.authority { self.head.authority = authority }
        self.head.framing = try BodyFraming.ofRequest(bytes, fields, isHTTP11: isHTTP11)
        self.head.connection.read(bytes, fields)
        if case .once(let index) = fields.expect, isHTTP11 {
            self.head.expectsContinue = ByteScan.equals(bytes, fields.fields[index].value, lowercase: "100-continue")
        }
    }
}
