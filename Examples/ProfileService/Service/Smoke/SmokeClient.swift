import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// A browser of the scenario's: requests with an optional cookie, answers as status, headers and bytes.
struct SmokeClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var body: [UInt8]
        var milliseconds: Double

        /// The session cookie that this answer sets, as it is sent back.
        var cookie: String? {
            self.headers.first(name: "set-cookie").flatMap { $0.split(separator: ";").first }.map(String.init)
        }

        func decoded<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: Data(self.body))
        }
    }

    /// An answer began, and did not come to its end.
    struct CutOff: Error {
        /// With which it began.
        let status: Int
        let error: any Error
    }

    /// A bound and not a wait: far beyond what a busy machine needs.
    private static let limit = TimeAmount.seconds(60)

    let client: HTTPClient
    let base: String

    func get(_ path: String, cookie: String? = nil) async throws -> Answer {
        try await self.send(.GET, path, body: nil, cookie: cookie)
    }

    func post(_ path: String, _ body: [String: String]? = nil, cookie: String? = nil) async throws -> Answer {
        try await self.send(.POST, path, body: body, cookie: cookie)
    }

    func put(_ path: String, _ body: [String: String], cookie: String?) async throws -> Answer {
        try await self.send(.PUT, path, body: body, cookie: cookie)
    }

    /// Waits until this part and all that it stands on are up.
    func ready() async throws {
        try await Polling.until("\(self.base)/readyz answers 200", within: .seconds(120)) {
            (try? await self.get("/readyz"))?.status == 200
        }
    }

    /// Logs a seeded user in.
    ///
    /// - Returns: the session's cookie.
    func login(_ user: Int) async throws -> String {
        let answer = try await self.post("/login", ["email": Seed.email(user), "password": Seed.password])
        guard answer.status == 200, let cookie = answer.cookie else {
            throw SmokeFailure(description: "login of user \(user) was answered \(answer.status)")
        }
        return cookie
    }

    /// Asks for a notification of a user, by whomever the cookie is.
    ///
    /// - Returns: the job's id.
    func notify(_ user: Int, cookie: String) async throws -> String {
        struct Accepted: Decodable { var job: String }
        let answer = try await self.post("/profiles/\(user)/notifications", cookie: cookie)
        guard answer.status == 202 else { throw SmokeFailure(description: "the notification was answered \(answer.status)") }
        return try answer.decoded(Accepted.self).job
    }

    private func send(_ method: HTTPMethod, _ path: String, body: [String: String]?, cookie: String?) async throws -> Answer {
        var request = HTTPClientRequest(url: self.base + path)
        request.method = method
        if let cookie { request.headers.add(name: "cookie", value: cookie) }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        }
        let clock = ContinuousClock()
        let start = clock.now
        let response = try await self.client.execute(request, timeout: Self.limit)
        let bytes: ByteBuffer
        do {
            bytes = try await response.body.collect(upTo: 16 * 1024 * 1024)
        } catch {
            throw CutOff(status: Int(response.status.code), error: error)
        }
        let elapsed = start.duration(to: clock.now).components
        return Answer(
            status: Int(response.status.code), headers: response.headers, body: Array(bytes.readableBytesView),
            milliseconds: Double(elapsed.seconds) * 1e3 + Double(elapsed.attoseconds) / 1e15)
    }
}
