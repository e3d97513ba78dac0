/// Percent-encoding of RFC 3986 §2.1.
package enum PercentEncoding {
    package enum Failure: Error {
        /// A `%` without two hexadecimal digits after it.
        case malformed
        /// The decoded bytes are not UTF-8.
        case notUTF8
    }

    /// Replaces each `%XX` by its byte, and with `plusIsSpace` each `+` by a space, as HTML forms and query strings have it.
    package static func decode(_ bytes: some Sequence<UInt8>, plusIsSpace: Bool = false) -> Result<String, Failure> {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.underestimatedCount)
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(Hex.value(ofDigit:)), let low = iterator.next().flatMap(Hex.value(ofDigit:))
                else { return .failure(.malformed) }
                decoded.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace:
                decoded.append(UInt8(ascii: " "))
            default:
                decoded.append(byte)
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else { return .failure(.notUTF8) }
        return .success(text)
    }
}
