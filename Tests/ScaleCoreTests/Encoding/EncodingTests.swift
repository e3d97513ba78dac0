import ScaleCore
import Testing

struct HexTests {
    /// RFC 4648 §10, in lower case.
    static let vectors = [("", ""), ("f", "66"), ("fo", "666f"), ("foobar", "666f6f626172")]

    @Test(arguments: Self.vectors)
    func `the RFC's vectors encode and decode`(text: String, hex: String) {
        #expect(Hex.encode(text.utf8) == hex)
        #expect(Hex.decode(hex) == Array(text.utf8))
        #expect(Hex.decode(hex.uppercased()) == Array(text.utf8))
    }

    @Test func `every byte survives`() {
        let all = Array(UInt8.min...UInt8.max)
        #expect(Hex.decode(Hex.encode(all)) == all)
    }

    @Test(arguments: ["6", "6g", "g6", "66 ", "0x66", "６６"])
    func `what is no hexadecimal text does not decode`(text: String) {
        #expect(Hex.decode(text) == nil)
    }
}

struct Base64URLTests {
    /// RFC 4648 §10 without padding, and the two characters in which the alphabets differ.
    static let vectors: [([UInt8], String)] = [
        ([], ""), (Array("f".utf8), "Zg"), (Array("fo".utf8), "Zm8"), (Array("foo".utf8), "Zm9v"), (Array("foob".utf8), "Zm9vYg"),
        (Array("fooba".utf8), "Zm9vYmE"), (Array("foobar".utf8), "Zm9vYmFy"), ([0xFB, 0xFF], "-_8"),
    ]

    @Test(arguments: Self.vectors)
    func `the RFC's vectors encode and decode`(bytes: [UInt8], text: String) {
        #expect(Base64URL.encode(bytes) == text)
        #expect(Base64URL.decode(text) == bytes)
    }

    @Test func `bytes of every length survive`() {
        for length in 0..<70 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37 + length) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
    }

    @Test(arguments: ["Zg==", "Z", "Zm9vY", "Zh", "Zm9", "-_9", "Zg+/", "Zm 8", "Zm8\n"])
    func `padding, foreign characters and second spellings do not decode`(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }
}

struct PercentEncodingTests {
    @Test(arguments: [
        ("", ""), ("abc", "abc"), ("a%20b", "a b"), ("%2f%2F", "//"), ("%C3%A9", "é"), ("é", "é"), ("a+b", "a+b"), ("%2B", "+"),
        ("%25", "%"),
        ("%2525", "%25"),
    ])
    func `escapes decode once`(text: String, expected: String) throws {
        #expect(try PercentEncoding.decode(text.utf8).get() == expected)
    }

    @Test func `a plus is a space only in a query`() throws {
        #expect(try PercentEncoding.decode("a+b%2Bc".utf8, plusIsSpace: true).get() == "a b+c")
    }

    @Test(arguments: ["%", "%2", "%zz", "%2z", "%z2", "a%", "%%20", "%+1", "%-1"])
    func `a percent sign without two hexadecimal digits fails`(text: String) {
        #expect(throws: PercentEncoding.Failure.malformed) { try PercentEncoding.decode(text.utf8).get() }
    }

    @Test(arguments: ["%ff", "%C3", "%C3%28", "%ED%A0%80", "%F5%80%80%80", "%C0%AF"])
    func `bytes that are not UTF-8 fail`(text: String) {
        #expect(throws: PercentEncoding.Failure.notUTF8) { try PercentEncoding.decode(text.utf8).get() }
    }
}
