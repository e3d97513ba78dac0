#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A block of IP addresses: `10.0.0.0/8`, `fd00::/8`, or a single address.
public struct CIDRBlock: Hashable, Sendable, CustomStringConvertible {
    private let network: IPAddress
    private let prefixLength: Int

    /// Reads an address with an optional prefix length.
    ///
    /// - Throws: ``ProxyError`` with the code `invalidConfiguration` when it is neither, or the length exceeds the address.
    public init(_ text: String) throws(ProxyError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, let network = IPAddress(String(first)) else {
            throw .invalid("trustedProxies", "neither an IP address nor a block of them: \(text.prefix(60))")
        }
        self.network = network
        guard parts.count == 2 else {
            self.prefixLength = network.bitCount
            return
        }
        guard parts[1].utf8.allSatisfy(ByteClass.isDigit), let length = Int(parts[1]), length <= network.bitCount else {
            throw .invalid("trustedProxies", "the prefix length does not fit the address: \(text.prefix(60))")
        }
        self.prefixLength = length
    }

    public var description: String { "\(self.network)/\(self.prefixLength)" }

    func contains(_ address: IPAddress) -> Bool {
        address.hasPrefix(self.network, length: self.prefixLength)
    }
}

/// An IPv4 or IPv6 address. IPv4 in IPv6's clothes (`::ffff:10.0.0.1`) is IPv4.
struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    private let bytes: [UInt8]

    init?(_ text: String) {
        var address4 = in_addr()
        var address6 = in6_addr()
        if inet_pton(AF_INET, text, &address4) == 1 {
            self.bytes = withUnsafeBytes(of: &address4) { Array($0) }
        } else if inet_pton(AF_INET6, text, &address6) == 1 {
            let bytes = withUnsafeBytes(of: &address6) { Array($0) }
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            self.bytes = isMapped ? Array(bytes[12...]) : bytes
        } else {
            return nil
        }
    }

    /// What nginx's `ip_hash` looks at.
    var network: [UInt8] { self.bytes.count == 4 ? Array(self.bytes[..<3]) : self.bytes }

    var bitCount: Int { self.bytes.count * 8 }

    func hasPrefix(_ other: IPAddress, length: Int) -> Bool {
        guard self.bytes.count == other.bytes.count else { return false }
        for index in 0..<(length / 8) where self.bytes[index] != other.bytes[index] { return false }
        guard length % 8 != 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> (length % 8))
        return (self.bytes[length / 8] ^ other.bytes[length / 8]) & mask == 0
    }

    var description: String {
        let family = self.bytes.count == 4 ? AF_INET : AF_INET6
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = self.bytes.withUnsafeBytes { inet_ntop(family, $0.baseAddress, &text, socklen_t(INET6_ADDRSTRLEN)) }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
