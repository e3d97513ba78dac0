import HTTPTypes
import Hummingbird
import Logging

/// The list of profiles, one profile, and changing one's own.
struct ProfileRoutes: Sendable {
    let database: ProfileDatabase
    let list: ProfileListCache
    let notifier: CacheNotifier
    let analytics: any Analytics
    let addresses: ClientAddress

    static let endpoints = [
        EndpointTable.Endpoint("/profiles", [.get]),
        EndpointTable.Endpoint("/profiles/{id}", [.get, .put]),
    ]

    func add(to router: Router<ProfileContext>) {
        router.get("/profiles", use: self.all)
        router.get("/profiles/{id}", use: self.one)
        router.put("/profiles/{id}", use: self.change)
    }

    @Sendable func all(_ request: Request, _ context: ProfileContext) async throws -> Response {
        let (bytes, wasCached) = try await self.list.json()
        return Response.json(bytes: bytes, headers: [Self.xCache: wasCached ? "hit" : "miss"])
    }

    @Sendable func one(_ request: Request, _ context: ProfileContext) async throws -> Response {
        let id = try PathID.parse(request.pathSegment(1))
        guard let profile = try await self.database.profile(id) else { throw Self.noSuchProfile }
        if request.method == .get {
            await self.countView(of: id, request, context)
        }
        return Response.json(profile)
    }

    @Sendable func change(_ request: Request, _ context: ProfileContext) async throws -> Response {
        let id = try PathID.parse(request.pathSegment(1))
        let user = try await context.user()
        guard try await self.database.profileExists(id) else { throw Self.noSuchProfile }
        guard user == id else { throw HTTPFailure(.forbidden, "this is somebody else's profile") }
        let change = try ProfileChange(try await JSONBody.read(request))
        try await context.checkSessionIsAlive()
        let (profile, notice) = try await self.database.update(id, with: change)
        try await self.notifier.deliver(notice)
        return Response.json(profile)
    }

    /// A page does not fail because it could not be counted.
    private func countView(of id: Int64, _ request: Request, _ context: ProfileContext) async {
        do {
            try await self.analytics.recordView(of: id, from: self.addresses.of(request, context))
        } catch {
            context.logger.warning("a view was not counted: \(error)")
        }
    }

    static let noSuchProfile = HTTPFailure(.notFound, "no such profile")

    private static let xCache = HTTPField.Name("X-Cache")!
}

extension Request {
    /// A segment of the path as it was sent, percent signs and all; empty when there are not so many.
    func pathSegment(_ index: Int) -> Substring {
        let segments = self.uri.path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        return index < segments.count ? segments[index] : ""
    }
}
