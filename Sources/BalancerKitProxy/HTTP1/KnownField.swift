/// The header fields that a proxy must know, by an id that is found once, when the line is read.
enum KnownField: UInt8, Sendable {
    case other
    case altSvc, authorization, connection, contentLength, contentType, cookie, date, expect, forwarded, host, http2Settings, keepAlive
    case proxyAuthenticate, proxyAuthorization, proxyConnection, server, setCookie, te, trailer, transferEncoding, upgrade, via
    case xForwardedFor, xForwardedHost, xForwardedProto, xRealIP
    /// Any other field whose name begins with `X-Forwarded-`.
    case xForwardedOther

    /// The id of the field name in `range`, which is known to be a token.
    static func of(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> KnownField {
        func match(_ name: StaticString, _ field: KnownField) -> KnownField? {
            ByteScan.equals(bytes, range, lowercase: name) ? field : nil
        }
        switch range.count {
        case 2: return match("te", .te) ?? .other
        case 3: return match("via", .via) ?? .other
        case 4: return match("host", .host) ?? match("date", .date) ?? .other
        case 6: return match("expect", .expect) ?? match("cookie", .cookie) ?? match("server", .server) ?? .other
        case 7: return match("upgrade", .upgrade) ?? match("trailer", .trailer) ?? match("alt-svc", .altSvc) ?? .other
        case 9: return match("x-real-ip", .xRealIP) ?? match("forwarded", .forwarded) ?? .other
        case 10: return match("connection", .connection) ?? match("set-cookie", .setCookie) ?? match("keep-alive", .keepAlive) ?? .other
        case 12: return match("content-type", .contentType) ?? .other
        case 13: return match("authorization", .authorization) ?? .other
        case 14: return match("content-length", .contentLength) ?? match("http2-settings", .http2Settings) ?? .other
        case 15: return match("x-forwarded-for", .xForwardedFor) ?? Self.forwardedExtension(bytes, range)
        case 16:
            return match("x-forwarded-host", .xForwardedHost) ?? match("proxy-connection", .proxyConnection)
                ?? Self.forwardedExtension(bytes, range)
        case 17:
            return match("transfer-encoding", .transferEncoding) ?? match("x-forwarded-proto", .xForwardedProto)
                ?? Self.forwardedExtension(bytes, range)
        case 18: return match("proxy-authenticate", .proxyAuthenticate) ?? Self.forwardedExtension(bytes, range)
        case 19: return match("proxy-authorization", .proxyAuthorization) ?? Self.forwardedExtension(bytes, range)
        default: return Self.forwardedExtension(bytes, range)
        }
    }

    private static func forwardedExtension(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> KnownField {
        let prefix: StaticString = "x-forwarded-"
        let length = prefix.utf8CodeUnitCount
        guard range.count > length else { return .other }
        let head = range.lowerBound..<(range.lowerBound + length)
        return ByteScan.equals(bytes, head, lowercase: prefix) ? .xForwardedOther : .other
    }
}
