#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The list of hosts: RFC 3986 §3.2.2 names and addresses, zones as in RFC 6874, separated by commas.
extension ServiceURLParser {
    static func hosts(in list: Substring.UTF8View, of scheme: ServiceURL.Scheme) throws(ServiceURLError) -> [ServiceURL.Host] {
        switch scheme.hosts {
        case .none:
            return []
        case .one where list.contains(UInt8(ascii: ",")):
            throw ServiceURLError(code: .tooManyHosts, message: "\(scheme.name) URLs have one host only")
        case .one, .oneOrMore:
            if list.isEmpty, scheme.defaultHost != nil { return scheme.defaultHosts }
            var hosts: [ServiceURL.Host] = []
            for host in list.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                hosts.append(try self.host(host, number: hosts.count + 1, of: scheme))
            }
            return hosts
        }
    }

    private static func host(
        _ text: Substring.UTF8View, number: Int, of scheme: ServiceURL.Scheme
    ) throws(ServiceURLError) -> ServiceURL.Host {
        guard text.first == UInt8(ascii: "[") else {
            let colon = text.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
            let name = try self.name(text[..<colon], number: number, of: scheme)
            return ServiceURL.Host(name: name, port: try self.port(text[colon...], number: number) ?? scheme.defaultPort)
        }
        guard let bracket = text.firstIndex(of: UInt8(ascii: "]")),
            let address = self.addressV6(text[text.index(after: text.startIndex)..<bracket])
        else {
            throw ServiceURLError(code: .invalidHost, message: "host \(number) is not an IPv6 address in brackets")
        }
        let port = try self.port(text[text.index(after: bracket)...], number: number)
        return ServiceURL.Host(name: address, port: port ?? scheme.defaultPort)
    }

    /// A DNS name or an IPv4 address. Names beyond ASCII come in their encoded form (RFC 3492).
    private static func name(
        _ bytes: Substring.UTF8View, number: Int, of scheme: ServiceURL.Scheme
    ) throws(ServiceURLError) -> String {
        if bytes.isEmpty {
            if let name = scheme.defaultHost { return name }
            throw ServiceURLError(code: .missingHost, message: "host \(number) is empty")
        }
        let labels = (bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes)
            .split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isValid = bytes.count <= 253 && bytes.allSatisfy(self.isNameByte) && labels.allSatisfy { (1...63).contains($0.count) }
        guard isValid else {
            throw ServiceURLError(
                code: .invalidHost, message: "host \(number) is not a DNS name, an IPv4 address, or an IPv6 address in brackets")
        }
        return String(Substring(bytes))
    }

    /// Letters, digits, `-`, `.` and, as container networks use it, `_`.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }

    /// The address that stands between brackets; its zone follows an encoded percent sign (`fe80::1%25eth0`).
    private static func addressV6(_ bytes: Substring.UTF8View) -> String? {
        let percent = bytes.firstIndex(of: UInt8(ascii: "%")) ?? bytes.endIndex
        let address = String(Substring(bytes[..<percent]))
        var storage = in6_addr()
        guard inet_pton(AF_INET6, address, &storage) == 1 else { return nil }
        guard percent < bytes.endIndex else { return address }
        let zone = bytes[percent...].dropFirst(3)
        guard bytes[percent...].starts(with: "%25".utf8), !zone.isEmpty, zone.allSatisfy(self.isNameByte) else { return nil }
        return "\(address)%\(Substring(zone))"
    }

    /// The port after a host: `nil` when `text` is empty, or a colon alone (RFC 3986 §3.2.3).
    private static func port(_ text: Substring.UTF8View, number: Int) throws(ServiceURLError) -> Int? {
        let digits = text.dropFirst()
        guard text.isEmpty || text.first == UInt8(ascii: ":") else {
            throw ServiceURLError(code: .invalidHost, message: "host \(number) goes on after its closing bracket")
        }
        guard !digits.isEmpty else { return nil }
        // `UInt16("+80")` is 80: a sign has to be refused apart.
        guard let port = UInt16(Substring(digits)), port > 0, digits.first != UInt8(ascii: "+") else {
            throw ServiceURLError(code: .invalidPort, message: "the port of host \(number) is not a number from 1 to 65535")
        }
        return Int(port)
    }
}
