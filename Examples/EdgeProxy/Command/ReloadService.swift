import BalancerKitProxy
import ServiceLifecycle
import UnixSignals

/// Opens the files of the access log anew at each `USR1`, and at each `HUP` reads the certificates again as well. Operators tell nginx of new
/// files with these, and they would end this process otherwise.
struct ReloadService: Service {
    let signals: UnixSignalsSequence
    let servers: [ReverseProxy]

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await signal in self.signals {
                // What became of it is in the log; files that cannot be used leave the old ones in place.
                for server in self.servers {
                    if signal == .sighup { try? await server.reloadCertificates() }
                    try? await server.reopenLogs()
                }
            }
        }
    }
}
