import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A request as a line of nginx's format `combined`:
/// `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`.
///
/// Values are escaped as by `escape=default`: no request can end a line or begin a field.
struct AccessLogLine: Sendable {
    private static let months = HTTPDate.months

    private let client: [UInt8]
    private let user: [UInt8]
    private let request: [UInt8]
    private let referer: [UInt8]
    private let agent: [UInt8]

    /// Takes out of a head what the line needs of it.
    init(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress) {
        func value(_ name: String) -> [UInt8] { head.fields.first(name, bytes).map { Self.escaped(bytes[$0]) } ?? [UInt8(ascii: "-")] }
        self.client = client.bytes
        self.user = Self.user(head, bytes).map { Self.escaped($0[...]) } ?? [UInt8(ascii: "-")]
        let start = head.methodName.lowerBound
        let end = ByteScan.lineFeed(in: bytes, start..<bytes.count) ?? bytes.count
        let isEnded = end > start && bytes[end - 1] == UInt8(ascii: "\r")
        self.request = Self.escaped(bytes[start..<(isEnded ? end - 1 : end)])
        self.referer = value("referer")
        self.agent = value("user-agent")
    }

    /// Of what is no request: its first line, as far as it came.
    init(unreadable bytes: UnsafeRawBufferPointer, from client: ClientAddress) {
        let line = bytes.prefix(1024).prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        let nothing = [UInt8(ascii: "-")]
        self.client = client.bytes
        self.request = line.isEmpty ? nothing : Self.escaped(line)
        (self.user, self.referer, self.agent) = (nothing, nothing, nothing)
    }

    /// - Parameters:
    ///   - bytes: of the response's body.
    ///   - second: since 1970.
    func bytes(status: Int, bytes: Int, at second: Int64) -> [UInt8] {
        var line = self.client + Array(" - ".utf8) + self.user + Array(" [".utf8) + Self.stamp(second)
        line += Array("] \"".utf8) + self.request + Array("\" \(status) \(bytes) \"".utf8)
        line += self.referer + Array("\" \"".utf8) + self.agent + Array("\"\n".utf8)
        return line
    }

    /// Quotes, backslashes, and what is not printable ASCII as `\xXX` (`ngx_http_log_escape`).
    static func escaped(_ bytes: some Collection<UInt8>) -> [UInt8] {
        func isPlain(_ byte: UInt8) -> Bool {
            (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
        }
        guard !bytes.allSatisfy(isPlain) else { return Array(bytes) }
        let digits = Array("0123456789ABCDEF".utf8)
        return bytes.flatMap { byte in
            isPlain(byte) ? [byte] : [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }

    /// `30/Nov/2026:05:32:17 +0000`, by the clock of this machine's time zone.
    static func stamp(_ second: Int64) -> [UInt8] {
        guard let parts = LocalTime.parts(of: second), Self.months.indices.contains(Int(parts.tm_mon)) else { return [UInt8(ascii: "-")] }
        func two(_ number: some BinaryInteger) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let offset = parts.tm_gmtoff / 60
        let zone = (offset < 0 ? "-" : "+") + two(abs(offset) / 60) + two(abs(offset) % 60)
        let date = "\(two(parts.tm_mday))/\(Self.months[Int(parts.tm_mon)])/\(Int(parts.tm_year) + 1900)"
        return Array("\(date):\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) \(zone)".utf8)
    }

    /// The name in an Authorization field of the scheme Basic (RFC 7617); nil without one. Never the password.
    private static func user(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard case .once(let index) = head.fields.authorization else { return nil }
        let value = bytes[head.fields.fields[index].value]
        guard value.count > 6, value.prefix(6).map(ByteClass.lowercased).elementsEqual("basic ".utf8),
            let decoded = Self.decoded(value.dropFirst(6).drop { $0 == UInt8(ascii: " ") }),
            let colon = decoded.firstIndex(of: UInt8(ascii: ":")), colon > 0
        else { return nil }
        return Array(decoded[..<colon])
    }

    /// Base64 (RFC 4648 §4).
    private static func decoded(_ text: some Collection<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (held, bits): (UInt32, Int) = (0, 0)
        for byte in text where byte != UInt8(ascii: "=") {
            // Two characters are others than in the alphabet for URLs.
            let other: UInt8? = byte == UInt8(ascii: "+") ? 62 : byte == UInt8(ascii: "/") ? 63 : nil
            guard let digit = other ?? Base64URL.value(of: byte) else { return nil }
            (held, bits) = ((held << 6 | UInt32(digit)) & 0xFFFF, bits + 6)
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: held >> UInt32(bits)))
        }
        return bytes
    }
}
