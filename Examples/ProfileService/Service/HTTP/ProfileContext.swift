import Hummingbird
import Logging
import NIOCore
import SessionStore
import SessionStoreHummingbird

/// What a session remembers: who logged in.
public struct ProfileSession: Codable, Sendable {
    public var userID: Int64
}

/// A request on its way through the service.
struct ProfileContext: SessionRequestContext {
    var coreContext: CoreRequestContextStorage
    var session = RequestSession<ProfileSession>()
    /// The other end of the connection, without its port; empty for a socket without an address.
    let peerAddress: String
    /// The connection, for a stream that has to end whatever its client does.
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.peerAddress = source.channel.remoteAddress?.ipAddress ?? ""
        self.channel = source.channel
    }

    /// The user whose session this is.
    ///
    /// - Throws: `HTTPFailure` 401 when there is none.
    func user() async throws -> Int64 {
        guard let payload = try await self.session.payload() else { throw Self.notLoggedIn }
        return payload.userID
    }

    /// Refuses a write whose user has logged out since the request was let in. For the moment before the transaction.
    func checkSessionIsAlive() async throws {
        guard try await self.session.isAlive() else { throw Self.notLoggedIn }
    }

    private static var notLoggedIn: HTTPFailure { HTTPFailure(.unauthorized, "log in first") }
}
