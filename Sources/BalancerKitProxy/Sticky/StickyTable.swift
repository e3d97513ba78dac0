import BalancerKit
import Crypto
import ScaleCore

/// The values that a ``StickyCookie`` can have, made once: one for each endpoint and secret.
struct StickyTable: Sendable {
    private struct Token: Sendable {
        let value: [UInt8]
        let address: Endpoint.Address
        /// Whether it is of the secret that makes new values.
        let isCurrent: Bool
    }

    /// Whom a request's cookie names.
    struct Binding: Equatable, Sendable {
        var address: Endpoint.Address
        /// Whether the cookie would be made the same today. One of an older secret is set anew.
        var isCurrent: Bool
    }

    private let name: [UInt8]
    private let tokens: [Token]
    private let lines: [Endpoint.Address: [UInt8]]

    init(_ cookie: StickyCookie, _ endpoints: [Endpoint], random: RandomSource = .system) {
        self.name = Array(cookie.name.utf8)
        let secrets = cookie.secrets.isEmpty ? [random.id256()] : cookie.secrets
        var tokens: [Token] = []
        var lines: [Endpoint.Address: [UInt8]] = [:]
        for (index, secret) in secrets.enumerated() {
            for endpoint in endpoints {
                let value = Self.value(of: endpoint.address, cookie.name, secret)
                tokens.append(Token(value: Array(value.utf8), address: endpoint.address, isCurrent: index == 0))
                if index == 0 { lines[endpoint.address] = Array("Set-Cookie: \(cookie.name)=\(value)\(cookie.attributes)\r\n".utf8) }
            }
        }
        self.tokens = tokens
        self.lines = lines
    }

    /// The cookie's name is part of what is signed, so that a value is good for nothing under another name.
    private static func value(of address: Endpoint.Address, _ name: String, _ secret: [UInt8]) -> String {
        var hash = HMAC<SHA256>(key: SymmetricKey(data: secret))
        hash.update(data: Array("ScaleKit sticky cookie 1\0\(name)\0\(address)".utf8))
        return Base64URL.encode(hash.finalize())
    }

    /// The field line that binds a client to the endpoint.
    func line(for address: Endpoint.Address) -> [UInt8] { self.lines[address] ?? [] }

    /// Values that are looked at: a browser sends one for each path and domain. Hundreds are an attempt to keep us busy.
    private static let mostValues = 8

    /// Whom the request's cookies name; nil when none is one of ours.
    func binding(of head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> Binding? {
        var values = 0
        for field in head.fields.fields where field.id == .cookie {
            for pair in bytes[field.value].split(separator: UInt8(ascii: ";")) {
                let pair = pair.drop(while: ByteClass.isBlank)
                guard pair.count > self.name.count, pair.starts(with: self.name) else { continue }
                let rest = pair.dropFirst(self.name.count)
                guard rest.first == UInt8(ascii: "=") else { continue }
                let range = ByteScan.trimmingBlanks(bytes, rest.dropFirst().startIndex..<rest.endIndex)
                values += 1
                guard values <= Self.mostValues else { return nil }
                if let binding = self.binding(of: bytes[range]) { return binding }
            }
        }
        return nil
    }

    /// Looks at all values, and at all their bytes, whatever it finds.
    private func binding(of value: Slice<UnsafeRawBufferPointer>) -> Binding? {
        var found: Binding?
        for token in self.tokens where token.value.count == value.count {
            var difference: UInt8 = 0
            for (left, right) in zip(token.value, value) { difference |= left ^ right }
            if difference == 0, found == nil { found = Binding(address: token.address, isCurrent: token.isCurrent) }
        }
        return found
    }
}

extension StickyCookie {
    fileprivate var attributes: String {
        var text = ""
        switch self.expiry {
        case .session: break
        case .after(let duration): text += "; Max-Age=\(max(duration.wholeNanoseconds / 1_000_000_000, 0))"
        case .never: text += "; Max-Age=315360000"
        }
        if let domain { text += "; Domain=\(domain)" }
        if let path { text += "; Path=\(path)" }
        if self.isHTTPOnly { text += "; HttpOnly" }
        if self.isSecure { text += "; Secure" }
        if let sameSite { text += "; SameSite=\(sameSite.rawValue)" }
        return text
    }

    func validate() throws(ProxyError) {
        guard !self.name.isEmpty, self.name.utf8.allSatisfy(ByteClass.isToken) else {
            throw .invalid("sticky.name", "a cookie's name is a token")
        }
        guard self.secrets.allSatisfy({ $0.count >= 16 }) else { throw .invalid("sticky.secrets", "a secret has at least 16 bytes") }
        for (value, place) in [(self.domain, "sticky.domain"), (self.path, "sticky.path")] {
            guard let value else { continue }
            guard !value.isEmpty, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ";") }) else {
                throw .invalid(place, "must be printable ASCII without a semicolon, and not empty")
            }
        }
    }
}
