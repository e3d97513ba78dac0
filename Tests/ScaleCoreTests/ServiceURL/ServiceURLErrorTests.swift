import ScaleCore
import Testing

struct ServiceURLErrorTests {
    /// Each input just fails one rule; its neighbour that just passes is in `ServiceURLTests`.
    static let malformed: [(String, ServiceURLError.Code)] = [
        ("", .missingScheme), ("://h", .missingScheme), ("redis", .missingScheme), ("//h", .missingScheme),
        ("http://h", .unknownScheme), ("redi://h", .unknownScheme), ("redis ://h", .invalidCharacter), ("localhost:6379", .unknownScheme),
        ("redis:", .missingHost), ("redis:h", .missingHost), ("redis:/h", .missingHost), ("redis://", .missingHost),
        ("redis:///1", .missingHost),
        ("redis://:1", .missingHost), ("redis://u:p@", .missingHost), ("redis://a,,b", .missingHost), ("redis://a,", .missingHost),
        ("redis://,a", .missingHost), ("redis://?name=x", .missingHost), ("pyamqp:h", .missingHost),
        ("sqlite://h/f", .unexpectedHost), ("sqlite://u@/f", .unexpectedHost), ("pyamqp://a,b", .tooManyHosts),
        ("redis://a b", .invalidCharacter), ("redis://h/1\n", .invalidCharacter), ("redis://h/\u{7F}", .invalidCharacter),
        ("redis://h\0", .invalidCharacter),
        ("redis://h%41", .invalidHost), ("redis://h!", .invalidHost), ("redis://hé", .invalidHost), ("redis://a..b", .invalidHost),
        ("redis://.a", .invalidHost), ("redis://.", .invalidHost), ("redis://\(String(repeating: "a", count: 64))", .invalidHost),
        ("redis://\(String(repeating: "a.", count: 127))", .invalidHost), ("redis://h\\x", .invalidHost),
        ("redis://::1", .missingHost), ("redis://fe80::1", .invalidPort), ("redis://[::1", .invalidHost), ("redis://[]", .invalidHost),
        ("redis://[h]", .invalidHost), ("redis://[1.2.3.4]", .invalidHost), ("redis://[::1]x", .invalidHost),
        ("redis://[::1]1", .invalidHost),
        ("redis://[::1::2]", .invalidHost), ("redis://[12345::]", .invalidHost), ("redis://[fe80::1%25]", .invalidHost),
        ("redis://[fe80::1%eth0]", .invalidHost), ("redis://[fe80::1%2]", .invalidHost), ("redis://[::1%00]", .invalidHost),
        ("redis://h]", .invalidHost),
        ("redis://h:0", .invalidPort), ("redis://h:65536", .invalidPort), ("redis://h:99999999999999999999999", .invalidPort),
        ("redis://h:-1", .invalidPort), ("redis://h:+1", .invalidPort), ("redis://h:1a", .invalidPort), ("redis://h:１", .invalidPort),
        ("redis://h:1:2", .invalidPort), ("redis://[::1]:x", .invalidPort), ("redis://a:1,b:x", .invalidPort),
        ("redis://u%@h", .invalidPercentEncoding), ("redis://u:%4@h", .invalidPercentEncoding),
        ("redis://u:%zz@h", .invalidPercentEncoding),
        ("redis://u:%ff@h", .invalidPercentEncoding), ("redis://h/%", .invalidPercentEncoding),
        ("redis://h?name=%", .invalidPercentEncoding),
        ("redis://h?%=x", .invalidPercentEncoding), ("redis://u:%00@h", .invalidCharacter), ("redis://%00@h", .invalidCharacter),
        ("redis://h/%00", .invalidCharacter), ("redis://h?name=%00", .invalidCharacter),
        ("redis://u:1/2@h", .invalidCharacter), ("redis://u:1?2@h", .invalidCharacter), ("redis://h?name=a@b", .invalidCharacter),
        ("memcached://h/1", .unexpectedPath), ("memcached://h//", .unexpectedPath), ("sqlite:", .missingPath), ("sqlite:///", .missingPath),
        ("redis://h#f", .unexpectedFragment), ("redis://u:a#b@h", .unexpectedFragment), ("redis://h?name=#", .unexpectedFragment),
        ("redis://h?nam=x", .unknownOption), ("redis://h?=x", .unknownOption), ("rediss://h?name=x", .unknownOption),
        ("redis://h?name=x&name=y", .repeatedOption), ("redis://h?name=x&n%61me=x", .repeatedOption),
    ]

    @Test(arguments: Self.malformed)
    func `a malformed URL is a typed error`(text: String, code: ServiceURLError.Code) {
        #expect { try ServiceURL(text, schemes: .all) } throws: { error in
            (error as? ServiceURLError)?.code == code
        }
    }

    @Test func `without schemes every URL is unknown`() {
        #expect { try ServiceURL("redis://h", schemes: []) } throws: { ($0 as? ServiceURLError)?.code == .unknownScheme }
    }

    @Test func `an error names the part and what is expected`() {
        let messages = [
            ("redis://a:1,b:x", "the port of host 2 is not a number from 1 to 65535"), ("memcached://h/1", "memcached URLs have no path"),
            ("sqlite:", "the path, which is the file, is missing"), ("http://h", "the scheme is none of redis://, sqlite:"),
            ("redis://h?nam=x", "option 1 of the query is unknown; redis URLs have: name, timeout"),
        ]
        for (text, message) in messages {
            let schemes: [ServiceURL.Scheme] = text.hasPrefix("http") ? [.redis, .sqlite] : .all
            #expect { try ServiceURL(text, schemes: schemes) } throws: { ($0 as? ServiceURLError)?.message == message }
        }
    }

    /// A secret can stand anywhere in a URL that is malformed: with a slash in it, in front of a wrong port, or instead of the URL.
    @Test(arguments: [
        "hunter2", "hunter2://h", "hunter2:x@h", "redis:hunter2", "redis://hunter2@h:x", "redis://u:hunter2@h:x", "redis://:hunter2",
        "redis://u:hunter2/x@h",
        "redis://u:hunter2?x@h", "redis://u:hunter2#x@h", "redis://u:hunter2%zz@h", "redis://u:hunter2 @h", "redis://u:p@hunter2!",
        "redis://[hunter2]", "redis://h/hunter2%", "redis://h?hunter2=x", "redis://h?name=hunter2&name=hunter2",
        "redis://h?password=hunter2",
        "redis://u:x@hunter2@!", "memcached://h/hunter2", "sqlite://hunter2/f", "pyamqp://hunter2,hunter2", "redis://h:hunter2",
        "redis://u:%68unter2@h:0",
    ])
    func `an error repeats nothing of the text`(text: String) {
        do {
            let url = try ServiceURL(text, schemes: .all)
            Issue.record("parsed: \(url)")
        } catch {
            var dumped = ""
            dump(error, to: &dumped)
            for shown in ["\(error)", String(reflecting: error), error.message, dumped] { #expect(!shown.contains("hunter2")) }
        }
    }
}
