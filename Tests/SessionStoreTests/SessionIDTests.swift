import SessionStore
import Testing

@Suite struct SessionIDTests {
    @Test func `an id is 43 characters of base64url, and no two are the same`() {
        let ids = (0..<1000).map { _ in SessionID() }
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        #expect(ids.allSatisfy { $0.cookieValue.count == 43 && $0.cookieValue.allSatisfy(alphabet.contains) })
        #expect(Set(ids).count == ids.count)
    }

    @Test func `all 256 bits vary`() {
        // Each bit of 2000 ids is set in 1000 ± 15 % of them; a bit that is stuck or missing is far outside (6.7 standard deviations).
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var set = Array(repeating: 0, count: 258)
        for _ in 0..<2000 {
            for (place, character) in SessionID().cookieValue.enumerated() {
                let value = alphabet.firstIndex(of: character) ?? 0
                for bit in 0..<6 where value & (32 >> bit) != 0 { set[place * 6 + bit] += 1 }
            }
        }
        #expect(set[..<256].allSatisfy { (850...1150).contains($0) })
        #expect(set[256...] == [0, 0])
    }

    @Test(arguments: [
        (String(repeating: "A", count: 43), true),
        (String(repeating: "A", count: 42), false),
        (String(repeating: "A", count: 44), false),
        ("", false),
        (String(repeating: "z", count: 42) + "8", true),  // 8 is 111100: the two bits beyond 256 are zero
        (String(repeating: "z", count: 42) + "9", false),  // 9 is 111101
        ("-_" + String(repeating: "0", count: 41), true),
        ("+_" + String(repeating: "0", count: 41), false),
        ("/_" + String(repeating: "0", count: 41), false),
        (String(repeating: "A", count: 42) + "=", false),
        (String(repeating: "A", count: 42) + " ", false),
        (String(repeating: "A", count: 21) + "\0" + String(repeating: "A", count: 21), false),
        (String(repeating: "A", count: 41) + "é", false),  // 43 bytes
        (String(repeating: "A", count: 42) + "é", false),  // 43 characters
    ])
    func `a client's text is an id only in the exact form`(text: String, isValid: Bool) {
        #expect((SessionID(text) != nil) == isValid)
        if isValid { #expect(SessionID(text)?.cookieValue == text) }
    }

    @Test func `a key is the SHA-256 of the cookie's text, as any other language computes it`() throws {
        let id = try #require(SessionID(String(repeating: "A", count: 43)))
        // printf 'A%.0s' {1..43} | sha256sum
        #expect(SessionKey(id).hexadecimal == "0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a")
    }
}
