import BalancerKitProxy

/// TLS of a server: its certificate and the versions.
struct TLSRendering {
    private let proxy: ProxyConfiguration

    init(_ proxy: ProxyConfiguration) {
        self.proxy = proxy
    }

    /// - Parameter host: nil is the default server.
    func write(_ host: ProxyHost?, to writer: inout DirectiveWriter) throws(NginxError) {
        guard let tls = self.proxy.tls else { return }
        let usual = tls.certificates.first { $0.serverNames.isEmpty } ?? (tls.refusesUnknownNames ? nil : tls.certificates.first)
        let certificate = try host.map { (host) throws(NginxError) in try Self.certificate(of: host, tls) ?? usual } ?? usual
        if host == nil, tls.refusesUnknownNames, usual == nil {
            writer.write("ssl_reject_handshake", "on")
        } else {
            guard let certificate else { throw .notRenderable("a host without a certificate: tls.certificates") }
            for (name, file) in [("ssl_certificate", certificate.chainFile), ("ssl_certificate_key", certificate.keyFile)] {
                guard file.hasPrefix("/"), !file.contains("$") else {
                    throw .notRenderable("a certificate's file must be an absolute path")
                }
                try RenderingPlan.checkText(file, "a file's name")
                writer.write(name, file)
            }
        }
        let versions = ProxyTLS.Version.allCases.filter { tls.minimumVersion <= $0 && $0 <= tls.maximumVersion }
        guard !versions.isEmpty else { throw .notRenderable("no version of TLS is left") }
        writer.write(["ssl_protocols"] + versions.map { $0 == .tls12 ? "TLSv1.2" : "TLSv1.3" })
    }

    /// nginx chooses the certificate by the server, and a server by its names: all of a host's must have the same one.
    private static func certificate(of host: ProxyHost, _ tls: ProxyTLS) throws(NginxError) -> ProxyTLS.Certificate? {
        let found = Set(host.names.compactMap { name in tls.certificates.first { $0.serverNames.contains(name) } })
        guard found.count <= 1 else { throw .notRenderable("a host with several certificates") }
        return found.first
    }
}
