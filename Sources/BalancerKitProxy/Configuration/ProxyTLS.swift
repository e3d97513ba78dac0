/// TLS towards the clients: the certificates that the proxy shows, and within which bounds. HTTP/1.1 is spoken inside.
///
/// Files are read when the proxy starts, by ``ReverseProxy/reloadCertificates()``, and when they have changed (``reloadInterval``). A pair that
/// cannot be used at the start is an error; one that cannot be used later is logged, and what was loaded before stays. Connections that
/// are open keep the certificate that they were opened with. Keys are never logged.
public struct ProxyTLS: Sendable {
    /// A certificate with its key, and the names that it is shown for.
    public struct Certificate: Hashable, Sendable {
        /// A file in PEM: the server's certificate first, then the intermediate ones (nginx's `ssl_certificate`).
        public var chainFile: String
        /// A file in PEM with the certificate's private key, not encrypted (nginx's `ssl_certificate_key`). May be the same file.
        public var keyFile: String
        /// Names that a client may ask for (SNI): `example.com`, or `*.example.com` for all names below. Compared without case; an exact
        /// name comes first, then the longest wildcard. Nothing is for whoever asks for no name of another certificate.
        public var serverNames: [String]

        public init(chainFile: String, keyFile: String, serverNames: [String] = []) {
            self.chainFile = chainFile
            self.keyFile = keyFile
            self.serverNames = serverNames
        }
    }

    /// A version of the protocol. Older ones are broken, and not offered.
    public enum Version: Int, Comparable, Hashable, Sendable, CaseIterable {
        case tls12 = 12
        case tls13 = 13

        public static func < (left: Version, right: Version) -> Bool { left.rawValue < right.rawValue }
    }

    /// At least one. Who asks for a name that none has, or for none, gets the first without names, else the first of all.
    public var certificates: [Certificate]
    /// Whether a client that asks for a name that no certificate has is refused instead, nginx's `ssl_reject_handshake` of a default server.
    /// So is one that asks for no name, unless there is a certificate without names.
    public var refusesUnknownNames = false
    public var minimumVersion = Version.tls12
    public var maximumVersion = Version.tls13
    /// From the connection's beginning until the handshake is done; then it is closed. The time for the request's head begins after it.
    public var handshakeTimeout: Duration = .seconds(60)
    /// How often the files are looked at for changes; nil never, then only ``ReverseProxy/reloadCertificates()`` reads them again.
    public var reloadInterval: Duration? = .seconds(60)

    public init(certificates: [Certificate]) {
        self.certificates = certificates
    }

    /// One certificate, shown to all.
    public init(chainFile: String, keyFile: String) {
        self.init(certificates: [Certificate(chainFile: chainFile, keyFile: keyFile)])
    }
}
