import NIOCore
import NIOSSL
import NIOTLS
import ScaleCore
import ScaleTesting

/// A client that takes any certificate, and notes which it was shown.
struct TLSClient: Sendable {
    /// Certificates that were shown, in DER.
    let shown = RecordedFacts<[UInt8]>()
    /// Protocols that were agreed on, one for each handshake; an empty text for none.
    let agreed = RecordedFacts<String>()

    func connect(
        _ proxy: RunningProxy, name: String? = nil, protocols: [String] = ["http/1.1"],
        versions: ClosedRange<TLSClientVersion> = .tls12 ... .tls13
    ) async throws -> RawConnection {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .noHostnameVerification
        configuration.applicationProtocols = protocols
        configuration.minimumTLSVersion = versions.lowerBound == .tls12 ? .tlsv12 : .tlsv13
        configuration.maximumTLSVersion = versions.upperBound == .tls12 ? .tlsv12 : .tlsv13
        let context = try NIOSSLContext(configuration: configuration)
        let (shown, agreed) = (self.shown, self.agreed)
        return try await RawConnection.connect(proxy.port) { channel in
            let handler = try NIOSSLClientHandler(context: context, serverHostname: name) { certificates, promise in
                if let first = certificates.first, let bytes = try? first.toDERBytes() { shown.record(bytes) }
                promise.succeed(.certificateVerified)
            }
            try channel.pipeline.syncOperations.addHandler(handler)
            try channel.pipeline.syncOperations.addHandler(AgreementHandler(agreed))
        }
    }
}

enum TLSClientVersion: Int, Comparable, Sendable {
    case tls12, tls13

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

private final class AgreementHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let agreed: RecordedFacts<String>

    init(_ agreed: RecordedFacts<String>) {
        self.agreed = agreed
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let name)? = event as? TLSUserEvent { self.agreed.record(name ?? "") }
        context.fireUserInboundEventTriggered(event)
    }
}

extension TestCertificates.Pair {
    var der: [UInt8] {
        get throws { try NIOSSLCertificate.fromPEMBytes(Array(self.chain.utf8)).first.map { try $0.toDERBytes() } ?? [] }
    }
}
