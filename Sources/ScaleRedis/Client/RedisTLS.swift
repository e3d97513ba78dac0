import NIOSSL

/// How a `rediss://` connection is secured.
public struct RedisTLS: Sendable {
    /// Whom the client trusts.
    public enum TrustRoots: Sendable, Hashable {
        /// The operating system's certificate authorities.
        case system
        /// The certificate authorities in a PEM file.
        case file(String)
    }

    /// What is checked of the server's certificate.
    public enum Verification: Sendable, Hashable {
        /// Chain and host: the certificate must name the URL's host, or the address that was connected to.
        case full
        /// The chain alone: any server of the authority may stand in for any other.
        case chainOnly
        /// Nothing: whoever sits between can read and change everything. For experiments.
        case none
    }

    /// The client's own certificate, where the server asks for one.
    public struct ClientCertificate: Sendable, Hashable {
        /// Path of the PEM file with the certificate chain, the client's first.
        public var chainFile: String
        /// Path of the PEM file with the private key.
        public var keyFile: String

        public init(chainFile: String, keyFile: String) {
            self.chainFile = chainFile
            self.keyFile = keyFile
        }
    }

    public var trustRoots = TrustRoots.system
    public var verification = Verification.full
    public var clientCertificate: ClientCertificate?
    /// The name that is sent (SNI) and looked for in the certificate instead of the URL's host.
    public var serverName: String?

    public init() {}

    /// Reads the files. Expensive: once for each client.
    func makeContext() throws(RedisError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        switch self.trustRoots {
        case .system: configuration.trustRoots = .default
        case .file(let path): configuration.trustRoots = .certificates(try Self.certificates(path, "tls.trustRoots"))
        }
        switch self.verification {
        case .full: configuration.certificateVerification = .fullVerification
        case .chainOnly: configuration.certificateVerification = .noHostnameVerification
        case .none: configuration.certificateVerification = .none
        }
        if let own = self.clientCertificate {
            configuration.certificateChain = try Self.certificates(own.chainFile, "tls.clientCertificate").map { .certificate($0) }
            configuration.privateKey = .privateKey(try Self.privateKey(own.keyFile))
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw RedisError(code: .invalidConfiguration, message: "TLS cannot be set up: \(error)")
        }
    }

    private static func certificates(_ path: String, _ setting: String) throws(RedisError) -> [NIOSSLCertificate] {
        do {
            return try NIOSSLCertificate.fromPEMFile(path)
        } catch {
            throw RedisError(code: .invalidConfiguration, message: "\(setting): no certificate can be read from \(path)")
        }
    }

    private static func privateKey(_ path: String) throws(RedisError) -> NIOSSLPrivateKey {
        do {
            return try NIOSSLPrivateKey(file: path, format: .pem)
        } catch {
            throw RedisError(code: .invalidConfiguration, message: "tls.clientCertificate: no private key can be read from \(path)")
        }
    }
}
