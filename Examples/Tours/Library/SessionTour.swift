import SessionStore

/// A session that ends for good, whatever is still in flight.
public enum SessionTour {
    // snippet: session-payload
    struct ProfileSession: Codable, Sendable {
        var userID: Int
        var theme = "light"
    }
    // end snippet

    public static func run(say: @escaping @Sendable (String) -> Void) async throws {
        // snippet: session
        let sessions = Sessions<ProfileSession>(
            storage: MemorySessionStorage(), policy: .init(idle: .seconds(1800), absolute: .seconds(43_200)))
        let session = try await sessions.create(ProfileSession(userID: 7))  // session.id goes into the cookie

        try await sessions.end(session.id)  // logout
        do {
            try await sessions.update(session) { $0.theme = "dark" }  // a request that was still in flight
        } catch let error as SessionError where error.code == .ended {
            say("logout wins")
        }
        // end snippet
    }
}
