import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Finds out whether an address can be listened at before anything else is started, so that a bad one costs one clear line.
enum ListenCheck {
    /// - Throws: `StartError` that names the flag and the address.
    static func run(_ address: ListenAddress, flag: String = "--listen") async throws {
        do {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: address.host, port: address.port).get()
            try await channel.close()
        } catch {
            throw StartError("\(flag) \(address): \(Self.reason(of: error))")
        }
    }

    private static func reason(of error: any Error) -> String {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: "the port is in use; stop what listens there or choose another port"
        case EACCES: "not permitted; ports below 1024 are for the administrator, choose another"
        case EADDRNOTAVAIL: "this machine has no such address; listen at 127.0.0.1 or 0.0.0.0"
        default: "cannot listen there (\(error)); name an address of this machine and a free port"
        }
    }
}
