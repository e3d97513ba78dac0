import NIOCore
import NIOPosix

/// Ports that nobody listens on at the moment.
enum FreePorts {
    static func find(_ count: Int) async throws -> [Int] {
        // All are held at once, so that they differ.
        var channels: [any Channel] = []
        for _ in 0..<count {
            channels.append(
                try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get())
        }
        let ports = channels.compactMap { $0.localAddress?.port }
        for channel in channels { try await channel.close() }
        return ports
    }
}
