import BalancerKitProxy
import ServiceLifecycle
import UnixSignals

/// Reads the certificates again at each `HUP`, with which operators tell nginx of new files, and which would end this process otherwise.
struct CertificatesOnHangup: Service {
    let signals: UnixSignalsSequence
    let servers: [ReverseProxy]

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.signals {
                // The proxy logs what became of it; files that cannot be used leave the old ones in place.
                for server in self.servers { try? await server.reloadCertificates() }
            }
        }
    }
}
