/// Who sits at the other end of a client connection, in the forms that forwarding needs; made once per connection.
struct ClientAddress: Sendable {
    /// The IP address as text; `unix:` for a client without one.
    let text: String
    /// The same in bytes.
    let bytes: [UInt8]
    /// Whether what the peer says of others in `X-Forwarded-*` is believed.
    let isTrusted: Bool
    /// The address's network: three octets of an IPv4 address, all of an IPv6 address, zeros without an address.
    let network: [UInt8]
    /// Whether the client speaks TLS with us.
    let isSecure: Bool

    init(_ address: String?, trusted: [CIDRBlock], isSecure: Bool = false) {
        self.isSecure = isSecure
        let parsed = address.flatMap(IPAddress.init)
        self.network = parsed?.network ?? [0, 0, 0]
        self.text = parsed?.description ?? "unix:"
        self.bytes = Array(self.text.utf8)
        self.isTrusted = parsed.map { address in trusted.contains { $0.contains(address) } } ?? false
    }
}
