#if Hummingbird
import HTTPTypes

/// What a session adds to the head of an answer.
struct SessionResponseHeaders: Sendable {
    /// The value of the one `Set-Cookie`, if the answer sets the cookie.
    let setCookie: String?

    func apply(to headers: inout HTTPFields) {
        if let setCookie = self.setCookie {
            headers.append(HTTPField(name: .setCookie, value: setCookie))
            headers[.cacheControl] = "no-store"
        }
        // The answer may depend on the cookie: a shared cache must not give it to others (RFC 9110 §12.5.5).
        let varies = headers[values: .vary].joined(separator: ",").split(separator: ",").map { $0.trimmed.lowercased() }
        if !varies.contains("cookie"), !varies.contains("*") {
            headers.append(HTTPField(name: .vary, value: "Cookie"))
        }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
#endif
