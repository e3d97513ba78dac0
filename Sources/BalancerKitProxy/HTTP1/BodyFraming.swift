/// How the end of a message's body is found (RFC 9112 §6).
enum BodyFraming: Equatable, Sendable {
    /// There is no body.
    case none
    /// So many bytes, at least one.
    case length(Int)
    /// In chunks, until the last.
    case chunked
    /// Everything until the connection ends. Responses only.
    case untilClose
}

extension BodyFraming {
    /// The framing of a request. Stricter than RFC 9112: whatever two servers could read differently is refused.
    static func ofRequest(
        _ bytes: UnsafeRawBufferPointer, _ fields: FieldSection, isHTTP11: Bool
    ) throws(HTTPViolation) -> BodyFraming {
        switch try Self.stated(bytes, fields, isHTTP11: isHTTP11) {
        case .untilClose: .none
        case let framing: framing
        }
    }

    /// The framing of a final response.
    static func ofResponse(
        _ bytes: UnsafeRawBufferPointer, _ fields: FieldSection, isHTTP11: Bool, status: Int, isAnswerToHead: Bool
    ) throws(HTTPViolation) -> BodyFraming {
        let stated = try Self.stated(bytes, fields, isHTTP11: isHTTP11)
        return isAnswerToHead || status == 204 || status == 304 ? .none : stated
    }

    /// What the fields say; ``untilClose`` when they say nothing.
    private static func stated(
        _ bytes: UnsafeRawBufferPointer, _ fields: FieldSection, isHTTP11: Bool
    ) throws(HTTPViolation) -> BodyFraming {
        if fields.transferEncoding == .repeated { throw .repeatedTransferEncoding }
        if fields.contentLength == .repeated { throw .repeatedContentLength }
        switch (fields.transferEncoding, fields.contentLength) {
        case (.absent, .absent): return .untilClose
        case (.absent, .once(let index)):
            let length = try Self.contentLength(bytes, fields.fields[index].value)
            return length == 0 ? .none : .length(length)
        case (.once(let index), .absent):
            guard isHTTP11 else { throw .transferEncodingInHTTP10 }
            try Self.checkChunked(bytes, fields.fields[index])
            return .chunked
        default: throw .conflictingFraming
        }
    }

    /// `1*DIGIT` that fits 63 bits.
    static func contentLength(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTPViolation) -> Int {
        guard !range.isEmpty else { throw .malformedContentLength }
        var length = 0
        for index in range {
            guard ByteClass.isDigit(bytes[index]) else { throw .malformedContentLength }
            let (product, isTooLarge) = length.multipliedReportingOverflow(by: 10)
            let (sum, isAlsoTooLarge) = product.addingReportingOverflow(Int(bytes[index] - UInt8(ascii: "0")))
            guard !isTooLarge, !isAlsoTooLarge else { throw .malformedContentLength }
            length = sum
        }
        return length
    }

    /// Exactly `chunked`, in any case. A tab before it is not taken for white space here: servers are known to disagree about it.
    private static func checkChunked(_ bytes: UnsafeRawBufferPointer, _ field: HeaderField) throws(HTTPViolation) {
        guard ByteScan.equals(bytes, field.value, lowercase: "chunked") else { throw .unsupportedTransferEncoding }
        let before = (field.name.upperBound + 1)..<field.value.lowerBound
        guard !bytes[before].contains(UInt8(ascii: "\t")) else { throw .unsupportedTransferEncoding }
    }
}
