/// Base 16 of RFC 4648 §8: written in lower case, read in either.
package enum Hex {
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(2 * bytes.underestimatedCount)
        for byte in bytes {
            digits.append(self.digit(of: byte >> 4))
            digits.append(self.digit(of: byte & 0xF))
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// The bytes that `text` spells; `nil` when a character is no hexadecimal digit or their number is odd.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var digits = text.utf8.makeIterator()
        while let digit = digits.next() {
            guard let high = self.value(ofDigit: digit), let low = digits.next().flatMap(self.value(ofDigit:)) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    package static func value(ofDigit digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The digit of 0…15.
    static func digit(of value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value - 10)
    }
}
