/// Which bytes may stand where in an HTTP/1.1 head (RFC 9110 §5.6.2, RFC 9112 §3).
///
/// Each class is a bit mask over the 128 ASCII codes in two words, so that a test costs a shift and touches no memory.
enum ByteClass {
    /// `tchar`: what field names are made of.
    @inline(__always) static func isToken(_ byte: UInt8) -> Bool {
        Self.contains(byte, low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    }

    /// `A-Z`, `-` and `_`: what methods are made of here, as in nginx. RFC 9110 would allow any token, but no method in use needs it.
    @inline(__always) static func isMethod(_ byte: UInt8) -> Bool {
        Self.contains(byte, low: 0x0000_2000_0000_0000, high: 0x0000_0000_87FF_FFFE)
    }

    /// Letters, digits, `-`, `.`, `_` and `~`: the unreserved characters of RFC 3986, all that a host name is made of.
    @inline(__always) static func isHostName(_ byte: UInt8) -> Bool {
        Self.contains(byte, low: 0x03FF_6000_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
    }

    @inline(__always) static func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10
    }

    /// SP or HTAB: the only white space that may surround a field value.
    @inline(__always) static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    /// Any byte below 0x20 except HTAB, and DEL: allowed nowhere in a head.
    @inline(__always) static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != UInt8(ascii: "\t")) || byte == 0x7F
    }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always) static func hexadecimal(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        if digit < 10 { return digit }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter &+ 10 : nil
    }

    /// ASCII upper case to lower case; every other byte unchanged.
    @inline(__always) static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    @inline(__always) private static func contains(_ byte: UInt8, low: UInt64, high: UInt64) -> Bool {
        guard byte < 128 else { return false }
        return ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 == 1
    }
}
