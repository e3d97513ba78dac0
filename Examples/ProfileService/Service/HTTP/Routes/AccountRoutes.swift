import HTTPTypes
import Hummingbird
import Logging
import ScaleCore
import SessionStore

/// Sign-up, login, logout, and who one is.
struct AccountRoutes: Sendable {
    let database: ProfileDatabase
    let hasher: PasswordHasher
    let throttle: any LoginThrottle
    let notifier: CacheNotifier

    static let endpoints = [
        EndpointTable.Endpoint("/users", [.post]),
        EndpointTable.Endpoint("/login", [.post]),
        EndpointTable.Endpoint("/logout", [.post]),
        EndpointTable.Endpoint("/me", [.get]),
    ]

    func add(to router: Router<ProfileContext>) {
        router.post("/users", use: self.signUp)
        router.post("/login", use: self.login)
        router.post("/logout", use: self.logout)
        router.get("/me", use: self.me)
    }

    @Sendable func signUp(_ request: Request, _ context: ProfileContext) async throws -> Response {
        let user = try NewUser(try await JSONBody.read(request))
        let password = try await self.hasher.hash(user.password)
        let created: (id: Int64, notice: CacheNotice)
        do {
            created = try await self.database.createUser(user, password: password)
        } catch ProfileDatabase.WriteError.emailTaken {
            throw HTTPFailure(.conflict, "this e-mail address is taken")
        }
        try await self.notifier.deliver(created.notice)
        return Response.json(["id": created.id], status: .created)
    }

    @Sendable func login(_ request: Request, _ context: ProfileContext) async throws -> Response {
        let credentials = try Credentials(try await JSONBody.read(request))
        let account = credentials.email.lowercased()
        try await self.refuse(context) { try await $0.refusal(of: account) }
        guard let user = try await self.verified(credentials) else {
            // Asked again, since others may have failed while this one was being computed.
            try await self.refuse(context) { try await $0.recordFailure(of: account) }
            throw HTTPFailure(.unauthorized, "wrong e-mail address or password")
        }
        try await self.refuse(context) { try await $0.refusal(of: account) }
        try context.session.begin(ProfileSession(userID: user.id))
        return Response.json(LoggedIn(id: user.id, name: user.name))
    }

    @Sendable func logout(_ request: Request, _ context: ProfileContext) async throws -> Response {
        try await context.session.end()
        var response = Response(status: .noContent)
        response.headers[.contentLength] = nil  // RFC 9110 §8.6: a 204 has none
        return response
    }

    @Sendable func me(_ request: Request, _ context: ProfileContext) async throws -> Response {
        guard let profile = try await self.database.profile(try await context.user()) else {
            throw HTTPFailure(.unauthorized, "log in first")
        }
        return Response.json(Me(id: profile.id, name: profile.name, email: profile.email))
    }

    /// The account, if the password is its own. Computes one scrypt whether or not the account exists.
    private func verified(_ credentials: Credentials) async throws -> Account? {
        let account: Account? =
            if let email = EmailAddress(credentials.email) { try await self.database.account(email: email) } else { nil }
        let matches = try await self.hasher.verify(credentials.password, against: account?.passwordHash ?? .ofNobody)
        return matches ? account : nil
    }

    /// Throws 429 when the throttle refuses the account, and 503 when it cannot say: nobody may guess passwords uncounted.
    private func refuse(
        _ context: ProfileContext, by ask: (any LoginThrottle) async throws -> Duration?
    ) async throws(HTTPFailure) {
        let refusal: Duration?
        do {
            refusal = try await ask(self.throttle)
        } catch {
            context.logger.error("failed logins cannot be counted: \(error)")
            throw HTTPFailure(.serviceUnavailable, "nobody can log in now, try again soon")
        }
        guard let refusal else { return }
        let seconds = min(max(refusal.components.seconds + (refusal.components.attoseconds > 0 ? 1 : 0), 1), 60)
        throw HTTPFailure(.tooManyRequests, "too many failed logins to this account", headers: [.retryAfter: "\(seconds)"])
    }

    private struct LoggedIn: Encodable {
        var id: Int64
        var name: String
    }

    private struct Me: Encodable {
        var id: Int64
        var name: String
        var email: String
    }
}
