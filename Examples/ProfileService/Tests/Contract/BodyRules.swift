import Foundation
import Testing

@testable import ProfileService

/// Malformed bodies, sizes, content types, and the rules of each field.
@Suite struct BodyRules {
    typealias Way = ServiceUnderTest.Way

    @Test(arguments: Way.allCases) func `malformed JSON or UTF-8 is 400`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            for body in ["", "{", #"{"email":}"#, #"{"a":"\ud800"}"#, "nul", "{\"a\":1}x"] {
                #expect(try await service.request("POST", "/users", body, via: way).status == 400, "\(body)")
            }
            let status = try await HTTPConversation.with(port: service.port(way)) { speaker in
                let body: [UInt8] = Array(#"{"name":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8)
                try await speaker.send(
                    "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n")
                try await speaker.send(body)
                return try await speaker.answer().status
            }
            #expect(status == 400)
        }
    }

    /// What a lenient reader takes: each where it would be stored, and where nobody asks for it.
    @Test func `what is only almost JSON is 400, and changes nothing`() async throws {
        let values = [
            "01", "-01", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+", "1.2.3", "1-1", "0x1", "NaN", "Infinity", "-Infinity", "tru", "True",
            "[1,]", "[,1]", "[1 2]", "[1", "{,}", #"{"a":1,}"#, #"{"a" 1}"#, #"{"a":}"#, #"{a:1}"#, "{1:1}", "[1}", "'x'", #""\x""#,
            #""\u12""#,
            #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, #"["\ud800"]"#, #"{"\ud800":1}"#, "\"\u{1}\"", "1 // x", "1 /* x */", "", "1,",
        ]
        let documents =
            [
                #"{"name":"A","bio":"",}"#, #"{,"name":"A","bio":""}"#, #"{"name":"A" "bio":""}"#, #"{"name":"A","bio":"",,}"#,
                "\u{FEFF}" + #"{"name":"A","bio":""}"#, "\u{B}" + #"{"name":"A","bio":""}"#, #"{"name":"A","bio":""}"# + "\u{A0}",
            ] + values.map { #"{"name":"A","bio":"","x":\#($0)}"# }
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1)
            let before = try await service.request("GET", "/profiles/1").text
            for document in documents {
                #expect(try await service.request("PUT", "/profiles/1", document, cookie: cookie).status == 400, "\(document)")
            }
            #expect(try await service.request("GET", "/profiles/1").text == before)
            #expect(try await service.request("POST", "/users", #"{"a":1,}"#).status == 400)
        }
    }

    @Test(arguments: [
        "0", "-0", "12", "-1.50", "1e5", "1E-5", "0.1e+07", String(repeating: "9", count: 400), "1e999", "true", "false",
        "null", "[]", "[ ]", "{}", "{ }", "[[],{},[1 , 2]]", #"{"a":{"b":[null]},"a":1}"#, #""\"\\\/\b\f\n\r\t\u00e9""#, #""\ud83d\ude00""#,
        "\" \u{7F}é😀\"", "\t\r\n 1 \t\r\n",
    ]) func `all that is JSON may stand in a field that nobody reads`(value: String) throws {
        let fields = try JSONFields(parsing: #"{"name":"A","x":\#(value),"bio":"B"}"#.utf8)
        #expect(fields.fields?["name"] == .string("A"))
        #expect(fields.fields?["bio"] == .string("B"))
    }

    @Test(arguments: Way.allCases, [String.Encoding.utf16LittleEndian, .utf16BigEndian, .utf32LittleEndian, .utf32BigEndian])
    func `JSON in another encoding than UTF-8 is 400, with and without a mark of it`(way: Way, encoding: String.Encoding) async throws {
        try await ServiceUnderTest.with { service async throws in
            for mark in ["", "\u{FEFF}"] {
                let text = mark + #"{"email":"wide@example.com","password":"12345678","name":"Wide"}"#
                let body = Array(try #require(text.data(using: encoding)))
                let status = try await HTTPConversation.with(port: service.port(way)) { speaker in
                    try await speaker.send(
                        "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n")
                    try await speaker.send(body)
                    return try await speaker.answer().status
                }
                #expect(status == 400)
            }
        }
    }

    @Test(arguments: Way.allCases) func `another content type than application-json is 415`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let body = #"{"email":"a@b","password":"12345678","name":"A"}"#
            for type in ["text/plain", "application/jsonp", "application/json-seq", "application", ""] {
                #expect(try await service.request("POST", "/users", body, via: way, contentType: type).status == 415, "\(type)")
            }
            #expect(try await service.request("POST", "/users", body, via: way, contentType: nil).status == 415)
            #expect(
                try await service.request("POST", "/users", body, via: way, contentType: "Application/JSON ; charset=utf-8").status == 201)
        }
    }

    @Test(arguments: Way.allCases) func `a body of 64 KiB is read and one more byte is 413`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            func body(_ bytes: Int) -> String {
                let frame = #"{"email":"size@example.com","password":"12345678","name":"A","pad":""}"#
                return frame.replacingOccurrences(
                    of: #""pad":""#, with: #""pad":""# + String(repeating: "x", count: bytes - frame.utf8.count))
            }
            #expect(try await service.request("POST", "/users", body(65_537), via: way).status == 413)
            #expect(try await service.request("POST", "/users", body(65_536), via: way).status == 201)
        }
    }

    @Test(arguments: Way.allCases) func `a chunked body over 64 KiB is 413 without waiting for the rest`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let status = try await HTTPConversation.with(port: service.port(way)) { speaker in
                try await speaker.send(
                    "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                let chunk = "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"
                for _ in 0..<5 { try await speaker.send(chunk) }
                // The last chunk is never sent.
                return try await speaker.answer().status
            }
            #expect(status == 413)
        }
    }

    @Test(arguments: Way.allCases, ["-2", "0x2", "2\r\n{}X", "ffffffffffffffffff", "2\r\n{}\r\n0\r\nbad name: 1\r\n"])
    func `a body whose chunks are none is 400`(way: Way, chunks: String) async throws {
        try await ServiceUnderTest.with { service async throws in
            let answer = try await HTTPConversation.with(port: service.port(way)) { speaker in
                try await speaker.send(
                    "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                try await speaker.send("\(chunks)\r\n{}\r\n0\r\n\r\n")
                return try await speaker.answer()
            }
            #expect(answer.status == 400, "\(answer.text)")
        }
    }

    @Test(arguments: Way.allCases) func `a declared length over 64 KiB is 413 before a byte of the body is sent`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let status = try await HTTPConversation.with(port: service.port(way)) { speaker in
                try await speaker.send(
                    "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n")
                return try await speaker.answer().status
            }
            #expect(status == 413)
        }
    }

    @Test func `422 names all bad fields at once, wrong types included, and changes nothing`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let answer = try await service.request("POST", "/users", #"{"email":5,"password":"short","name":" "}"#)
            #expect(answer.status == 422)
            let errors = try #require(try answer.json()["errors"] as? [String: String])
            #expect(Set(errors.keys) == ["email", "password", "name"])
            for body in ["[]", "5", "null", "{}"] {
                let answer = try await service.request("POST", "/users", body)
                #expect(answer.status == 422, "\(body)")
                let errors = try #require(try answer.json()["errors"] as? [String: String])
                #expect(Set(errors.keys) == ["email", "password", "name"])
            }
            let list = try await service.request("GET", "/profiles")
            #expect(try JSONDecoder().decode([Profile].self, from: Data(list.body)).count == 3)
        }
    }

    /// Each rule of a field of `POST /users`, with a value that just passes and one that just fails.
    static let signUpFields: [(field: String, passes: String, fails: String)] = [
        ("password", String(repeating: "p", count: 8), String(repeating: "p", count: 7)),
        ("password", String(repeating: "p", count: 256), String(repeating: "p", count: 257)),
        ("name", "A", ""),
        ("name", String(repeating: "é", count: 200), String(repeating: "é", count: 201)),
        ("name", " x ", " \\t "),
        ("email", "one@at", "none.at"),
        ("email", "one@more", "two@at@"),
        ("email", "no.space@at", "a space@at"),
        ("email", "no.control@at", "a\\u0001control@at"),
    ]

    @Test(arguments: signUpFields.indices) func `each field of a sign-up has its rule`(index: Int) async throws {
        let rule = Self.signUpFields[index]
        @Sendable func body(_ value: String) -> String {
            var fields = ["email": "field@example.com", "password": "long enough", "name": "Name"]
            fields[rule.field] = value
            return "{" + fields.map { "\"\($0)\":\"\($1)\"" }.joined(separator: ",") + "}"
        }
        try await ServiceUnderTest.with { service async throws in
            let refused = try await service.request("POST", "/users", body(rule.fails))
            #expect(refused.status == 422)
            let errors = try #require(try refused.json()["errors"] as? [String: String])
            #expect(Array(errors.keys) == [rule.field])
            #expect(try await service.request("POST", "/users", body(rule.passes)).status == 201)
        }
    }

    @Test func `a biography of up to 10000 characters is stored exactly as sent, empty allowed`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1)
            for (sent, stored) in [
                ("", ""), ("a\\u0000b\\r\\n\\u0001", "a\u{0}b\r\n\u{1}"), ("é e\\u0301 \\ud83d\\ude00", "é e\u{301} 😀"),
                (String(repeating: "x", count: 10_000), String(repeating: "x", count: 10_000)),
            ] {
                let answer = try await service.request("PUT", "/profiles/1", #"{"name":"N","bio":"\#(sent)"}"#, cookie: cookie)
                #expect(answer.status == 200)
                let read = try await service.request("GET", "/profiles/1")
                for body in [answer.body, read.body] {
                    let profile = try JSONDecoder().decode(Profile.self, from: Data(body))
                    #expect(Array(profile.bio.unicodeScalars) == Array(stored.unicodeScalars))
                }
            }
            let long = String(repeating: "x", count: 10_001)
            #expect(try await service.request("PUT", "/profiles/1", #"{"name":"N","bio":"\#(long)"}"#, cookie: cookie).status == 422)
            #expect(try await service.request("PUT", "/profiles/1", #"{"name":"N"}"#, cookie: cookie).status == 422)
        }
    }

    @Test func `unknown fields have no effect`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let cookie = try await service.login(1)
            let body = #"{"name":"N","bio":"B","id":2,"email":"other@example.com","password":"12345678"}"#
            let answer = try await service.request("PUT", "/profiles/1", body, cookie: cookie)
            #expect(answer.status == 200)
            let profile = try JSONDecoder().decode(Profile.self, from: Data(answer.body))
            #expect(profile == Profile(id: 1, name: "N", email: Seed.email(1), bio: "B"))
            _ = try await service.login(1)
        }
    }
}
