/// Follows a body to its end, whatever its framing: which of the bytes that arrive are its data, and how many belong to it at all.
struct BodyReader: Sendable {
    private enum State: Sendable {
        case finished
        case length(remaining: Int)
        case chunked(ChunkedDecoder)
        case untilClose
    }

    private var state: State
    /// Bytes of data so far.
    private(set) var received = 0
    /// The most that the data may come to; one byte more is an error.
    private let maximumLength: Int

    /// The reader of a body with this framing.
    init(_ framing: BodyFraming, limits: HeadLimits, maximumLength: Int = .max) {
        self.maximumLength = maximumLength
        self.state =
            switch framing {
            case .none: .finished
            case .length(let length): .length(remaining: length)
            case .chunked: .chunked(ChunkedDecoder(limits: limits))
            case .untilClose: .untilClose
            }
    }

    /// Whether every byte of the body has been read.
    var isFinished: Bool {
        switch self.state {
        case .finished: true
        case .length, .chunked, .untilClose: false
        }
    }

    /// Whether the end of the connection now is the end of the body, and not a loss.
    var endsAtClose: Bool {
        switch self.state {
        case .finished, .untilClose: true
        case .length, .chunked: false
        }
    }

    /// Reads on, appends where data stands, and returns the offset behind the last byte that belongs to the body.
    mutating func read(_ bytes: UnsafeRawBufferPointer, from start: Int, into data: inout [Range<Int>]) throws(HTTPViolation) -> Int {
        let known = data.count
        let end = try self.advance(bytes, from: start, into: &data)
        for range in data[known...] { self.received += range.count }
        guard self.received <= self.maximumLength else { throw .bodyTooLarge }
        return end
    }

    private mutating func advance(
        _ bytes: UnsafeRawBufferPointer, from start: Int, into data: inout [Range<Int>]
    ) throws(HTTPViolation) -> Int {
        switch self.state {
        case .finished: return start
        case .length(let remaining):
            let end = start + min(remaining, bytes.count - start)
            if end > start { data.append(start..<end) }
            let rest = remaining - (end - start)
            self.state = rest == 0 ? .finished : .length(remaining: rest)
            return end
        case .chunked(var decoder):
            self.state = .finished
            let end = try decoder.decode(bytes, from: start, into: &data)
            if !decoder.isFinished { self.state = .chunked(decoder) }
            return end
        case .untilClose:
            if bytes.count > start { data.append(start..<bytes.count) }
            return bytes.count
        }
    }
}
