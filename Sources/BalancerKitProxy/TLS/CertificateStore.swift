import NIOCore
import NIOSSL
import ScaleCore

/// The certificates in use: read from their files, checked, and exchanged as a whole. Reading blocks.
final class CertificateStore: Sendable {
    private typealias Contexts = ServerNames<NIOSSLContext>

    /// When a file was changed, and what it then was. Two that are equal hold the same.
    private typealias Stamps = [Descriptor.Status?]

    private struct State {
        var contexts: Contexts?
        /// Of the files that were tried last, whether they could be used or not.
        var stamps: Stamps = []
    }

    let settings: ProxyTLS
    private let state = Locked(State())

    init(_ settings: ProxyTLS) {
        self.settings = settings
    }

    /// The context for a client that asks for this name; nil when it is to be refused.
    func context(for name: String?) -> NIOSSLContext? {
        self.state.withLock { $0.contexts }?.value(for: name, refusesUnknown: self.settings.refusesUnknownNames)
    }

    /// Whether it makes no difference what a client asks for.
    var isAlone: Bool { self.settings.certificates.count == 1 && !self.settings.refusesUnknownNames }

    /// Reads all files and uses them from now on; if one cannot be used, all stays as it was.
    ///
    /// - Throws: ``ProxyError`` with the code `invalidCertificate` and the file's name.
    func load() throws(ProxyError) {
        let stamps = self.stamps()
        self.state.withLock { $0.stamps = stamps }
        var entries: [(names: [String], value: NIOSSLContext)] = []
        for certificate in self.settings.certificates { entries.append((certificate.serverNames, try self.context(of: certificate))) }
        let contexts = Contexts(entries)
        self.state.withLock { state in
            // Somebody else may have read the files meanwhile, and seen more of what was written.
            if state.stamps == stamps || state.contexts == nil { state.contexts = contexts }
        }
    }

    /// Reads all files if one has changed since they were tried last. True when they were.
    func loadIfChanged() throws(ProxyError) -> Bool {
        let stamps = self.stamps()
        guard self.state.withLock({ $0.stamps != stamps }) else { return false }
        try self.load()
        return true
    }

    private func stamps() -> Stamps {
        self.settings.certificates.flatMap { [$0.chainFile, $0.keyFile] }.map { Descriptor.status(ofPath: $0) }
    }

    private func context(of certificate: ProxyTLS.Certificate) throws(ProxyError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificate.chainFile)
        } catch {
            throw .certificate("the certificate cannot be read", certificate.chainFile)
        }
        guard !chain.isEmpty else { throw .certificate("there is no certificate in the file", certificate.chainFile) }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: certificate.keyFile, format: .pem)
        } catch {
            // The library's own words stay out: they might hold something of the file.
            throw .certificate("the private key cannot be read, or is encrypted", certificate.keyFile)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = self.settings.minimumVersion == .tls13 ? .tlsv13 : .tlsv12
        configuration.maximumTLSVersion = self.settings.maximumVersion == .tls13 ? .tlsv13 : .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        // How long a client is waited for that does not say goodbye; nothing is lost then.
        configuration.shutdownTimeout = .seconds(1)
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw .certificate("the private key does not fit the certificate", certificate.keyFile)
        }
    }
}

extension ProxyTLS {
    func validate() throws(ProxyError) {
        guard !self.certificates.isEmpty else { throw .invalid("tls.certificates", "TLS needs at least one certificate") }
        for certificate in self.certificates {
            guard Self.isPath(certificate.chainFile) else { throw .invalid("tls.chainFile", "must be a path") }
            guard Self.isPath(certificate.keyFile) else { throw .invalid("tls.keyFile", "must be a path") }
            for name in certificate.serverNames where !Self.isName(name) {
                throw .invalid("tls.serverNames", "neither a host's name nor *. and one: \(name.prefix(60))")
            }
        }
        guard self.minimumVersion <= self.maximumVersion else {
            throw .invalid("tls.minimumVersion", "must not be above the maximum version")
        }
        guard self.handshakeTimeout > .zero else { throw .invalid("tls.handshakeTimeout", "must be positive") }
        guard self.reloadInterval.map({ $0 > .zero }) ?? true else { throw .invalid("tls.reloadInterval", "must be positive") }
    }

    private static func isPath(_ path: String) -> Bool { !path.isEmpty && !path.utf8.contains(0) }

    private static func isName(_ name: String) -> Bool {
        let name = name.hasPrefix("*.") ? name.dropFirst(2) : name[...]
        return !name.isEmpty && name.utf8.allSatisfy(ByteClass.isHostName)
    }
}
