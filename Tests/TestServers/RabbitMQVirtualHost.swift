import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A virtual host of a test's own on the private RabbitMQ: queues that nobody else sees, and that go with this object's ``delete()``.
public struct RabbitMQVirtualHost: Sendable {
    public let name: String
    /// `amqp://guest:guest@127.0.0.1:PORT/NAME`.
    public let url: String

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Makes a virtual host, runs `body`, and deletes it.
    public static func with<Result: Sendable>(_ body: (RabbitMQVirtualHost) async throws -> Result) async throws -> Result {
        guard let amqp = TestServers.amqp else { throw Failure(description: "there is no RabbitMQ") }
        let name = "test-\(UUID().uuidString.prefix(8))"
        let host = RabbitMQVirtualHost(name: name, url: amqp + name)
        _ = try await Self.call("PUT", "vhosts/\(name)", body: "{}")
        _ = try await Self.call("PUT", "permissions/\(name)/guest", body: #"{"configure":".*","write":".*","read":".*"}"#)
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body(host))
        } catch {
            result = .failure(error)
        }
        _ = try await Self.call("DELETE", "vhosts/\(name)")
        return try result.get()
    }

    /// Deletes a queue, whoever consumes from it.
    public func deleteQueue(_ queue: String) async throws {
        _ = try await Self.call("DELETE", "queues/\(self.name)/\(queue)")
    }

    /// Closes all connections to this virtual host; the number of those that it closed. The API lists some that are gone already.
    @discardableResult public func closeConnections() async throws -> Int {
        let answer = try await Self.call("GET", "vhosts/\(self.name)/connections")
        let connections = try JSONSerialization.jsonObject(with: answer) as? [[String: Any]] ?? []
        let names = connections.compactMap { ($0["name"] as? String)?.addingPercentEncoding(withAllowedCharacters: .alphanumerics) }
        var count = 0
        for name in names {
            let path = "connections/\(name)"
            switch try await Self.answer("DELETE", path).status {
            case 200..<300: count += 1
            case 404: break
            case let status: throw Failure(description: "DELETE \(path): \(status)")
            }
        }
        return count
    }

    /// What the management API says of a queue.
    public func queue(_ queue: String) async throws -> [String: any Sendable] {
        let answer = try await Self.call("GET", "queues/\(self.name)/\(queue)")
        return try JSONSerialization.jsonObject(with: answer) as? [String: any Sendable] ?? [:]
    }

    private static func call(_ method: String, _ path: String, body: String? = nil) async throws -> Data {
        let (status, data) = try await Self.answer(method, path, body)
        guard 200..<300 ~= status else { throw Failure(description: "\(method) \(path): \(status)") }
        return data
    }

    private static func answer(_ method: String, _ path: String, _ body: String? = nil) async throws -> (status: Int, body: Data) {
        guard let api = TestServers.rabbitMQAPI, var parts = URLComponents(string: "\(api)/") else {
            throw Failure(description: "there is no management API")
        }
        let credentials = Data("\(parts.user ?? ""):\(parts.password ?? "")".utf8).base64EncodedString()
        (parts.user, parts.password) = (nil, nil)
        guard let url = URL(string: "\(parts.string ?? "")\(path)") else { throw Failure(description: "no URL: \(path)") }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.setValue("Basic \(credentials)", forHTTPHeaderField: "Authorization")
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.timeoutInterval = 20
        request.httpBody = body.map { Data($0.utf8) }
        let (data, response) = try await URLSession.shared.data(for: request)
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, data)
    }
}
