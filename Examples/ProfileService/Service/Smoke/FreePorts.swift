import Foundation
import NIOCore
import NIOPosix

/// Ports that nobody listens on at the moment, for processes that are killed and come back to them.
///
/// They lie below those that Linux gives to connections of its own choice (`net.ipv4.ip_local_port_range`, from 32768). While nobody listens on
/// one of those, any client may be given it, and who tries to reach it may even be connected to himself: nobody could listen there again.
enum FreePorts {
    private static let range = 20_000..<26_000
    /// Processes that look at the same time begin at different places, or one of them would take what another has just found.
    private static let share = 10

    static func find(_ count: Int) async throws -> [Int] {
        let first = Int(ProcessInfo.processInfo.processIdentifier) % (Self.range.count / Self.share) * Self.share
        var ports: [Int] = []
        for offset in 0..<Self.range.count where ports.count < count {
            let port = Self.range.lowerBound + (first + offset) % Self.range.count
            if await Self.isFree(port) { ports.append(port) }
        }
        guard ports.count == count else { throw SmokeFailure(description: "there are no \(count) free ports on 127.0.0.1") }
        return ports
    }

    private static func isFree(_ port: Int) async -> Bool {
        guard
            let channel = try? await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: port).get()
        else { return false }
        try? await channel.close()
        return true
    }
}
