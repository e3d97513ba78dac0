import SessionStore
import Testing

@Suite struct SessionCookieTests {
    static let id = SessionID(String(repeating: "A", count: 43))!
    static let other = SessionID(String(repeating: "A", count: 42) + "E")!
    let text = String(repeating: "A", count: 43)

    // MARK: Set-Cookie

    @Test func `the cookie's attributes, to the letter`() {
        let cookie = SessionCookie()
        #expect(
            cookie.setting(Self.id, remaining: .seconds(60)) == "__Host-session=\(self.text); Path=/; Secure; HttpOnly; SameSite=Lax")
        #expect(cookie.clearing == "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
    }

    @Test func `the development switch drops the prefix and Secure, nothing else`() throws {
        for (secure, insecure) in [
            (SessionCookie(), SessionCookie(insecureCookies: true)),
            (try SessionCookie(name: "sid"), try SessionCookie(name: "sid", insecureCookies: true)),
        ] {
            func stripped(_ line: String) -> String {
                line.replacing("__Host-", with: "", maxReplacements: 1).replacing("; Secure", with: "")
            }
            #expect(insecure.setting(Self.id, remaining: .zero) == stripped(secure.setting(Self.id, remaining: .zero)))
            #expect(insecure.clearing == stripped(secure.clearing))
            #expect(insecure.setting(Self.id, remaining: .zero) != secure.setting(Self.id, remaining: .zero))
        }
    }

    @Test func `a strict cookie and a persistent one`() throws {
        var cookie = try SessionCookie(name: "sid")
        cookie.sameSite = .strict
        cookie.isPersistent = true
        #expect(
            cookie.setting(Self.id, remaining: .milliseconds(59_999))
                == "__Host-sid=\(self.text); Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=59")
        #expect(cookie.setting(Self.id, remaining: .seconds(-1)).hasSuffix("; Max-Age=0"))
        #expect(cookie.clearing == "__Host-sid=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    @Test(arguments: [
        ("s", true), ("", false),
        (String(repeating: "s", count: 64), true), (String(repeating: "s", count: 65), false),
        ("a!#$%&'*+-.^_`|~9Z", true), ("a b", false), ("a;b", false), ("a=b", false), ("a\"b", false), ("a\u{0}", false), ("é", false),
        ("_s", true), ("__Host-s", false), ("__Secure-s", false), ("a\r\nSet-Cookie", false),
    ])
    func `a cookie's name is a short token without a prefix of its own`(name: String, isValid: Bool) {
        if isValid {
            #expect(throws: Never.self) { try SessionCookie(name: name) }
        } else {
            let error = #expect(throws: SessionError.self) { try SessionCookie(name: name) }
            #expect(error?.code == .configuration)
        }
    }

    // MARK: Cookie

    /// For each rule of the parser one header that just passes and one that just fails.
    static let headers: [(rule: String, headers: [String], expected: SessionCookie.Presented)] = {
        let (a, b) = (id.cookieValue, other.cookieValue)
        let pair = "__Host-session=\(a)"
        let room = SessionCookie.maximumHeaderSize - pair.utf8.count - 2
        return [
            ("no header", [], .nothing),
            ("an empty header", [""], .nothing),
            ("one cookie", [pair], .id(id)),
            ("several cookies", ["a=1; \(pair); b=2"], .id(id)),
            ("several headers, as HTTP/2 sends them", ["a=1", pair, "b=2"], .id(id)),
            ("semicolon without space", ["a=1;\(pair);b=2"], .id(id)),
            ("spaces and tabs around a pair", ["a=1;\t \(pair) \t; b=2"], .id(id)),
            ("spaces around the equals sign", ["__Host-session = \(a)"], .id(id)),
            ("a space within the value", ["__Host-session=\(a.dropLast()) A"], .nothing),
            ("a comma does not separate", ["a=1, \(pair)"], .nothing),
            ("the name's case counts", ["__host-session=\(a)"], .nothing),
            ("a name that ends like ours", ["x__Host-session=\(a)"], .nothing),
            ("a name that begins like ours", ["__Host-sessions=\(a)"], .nothing),
            ("the name without prefix is not ours", ["session=\(a)"], .nothing),
            ("a name without equals sign", ["__Host-session"], .nothing),
            ("an empty value", ["__Host-session="], .nothing),
            ("a value too short", ["__Host-session=\(a.dropLast())"], .nothing),
            ("a value too long", ["__Host-session=\(a)A"], .nothing),
            ("a second equals sign belongs to the value", ["__Host-session=\(a)="], .nothing),
            ("a character beyond the alphabet", ["__Host-session=\(a.dropLast())."], .nothing),
            ("nothing is percent-decoded", ["__Host-session=%41\(a.dropFirst())"], .nothing),
            ("a quoted value", ["__Host-session=\"\(a)\""], .id(id)),
            ("half a pair of quotes", ["__Host-session=\"\(a)"], .nothing),
            ("two pairs of quotes", ["__Host-session=\"\"\(a)\"\""], .nothing),
            ("a lone quote", ["__Host-session=\""], .nothing),
            ("quotes protect no semicolon", ["a=\"1; \(pair); b=2\""], .id(id)),
            ("a malformed neighbour does not matter", ["=; ;;  ; =x; {\"a\":[1,2]}; a b c; \(pair); é=\u{7F}"], .id(id)),
            ("the same id twice", ["\(pair); \(pair)", "__Host-session=\"\(a)\""], .id(id)),
            ("two ids", ["\(pair); __Host-session=\(b)"], .ambiguous),
            ("two ids in two headers", [pair, "__Host-session=\(b)"], .ambiguous),
            ("a value that can be no id does not count as a second", ["__Host-session=planted; \(pair); __Host-session="], .id(id)),
            ("headers of just the size", [String(repeating: "x", count: room), "; " + pair], .id(id)),
            ("headers of one byte more", [String(repeating: "x", count: room + 1), "; " + pair], .nothing),
            ("one byte more behind the cookie", [pair, String(repeating: "x", count: room + 3)], .nothing),
        ]
    }()

    @Test(arguments: headers.indices)
    func `a request's cookie headers`(index: Int) {
        let (rule, headers, expected) = Self.headers[index]
        #expect(SessionCookie().presented(in: headers) == expected, "\(rule)")
    }

    @Test func `without the prefix the name is read without it`() {
        let cookie = SessionCookie(insecureCookies: true)
        #expect(cookie.presented(in: ["session=\(self.text)"]) == .id(Self.id))
        #expect(cookie.presented(in: ["__Host-session=\(self.text)"]) == .nothing)
    }
}
