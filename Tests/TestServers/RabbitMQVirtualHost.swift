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
        let result: Result
        do {
            result = try await body(host)
        } catch {
            // What failed first is the reason.
            _ = try? await Self.call("DELETE", "vhosts/\(name)")
            throw error
        }
        _ = try await Self.call("DELETE", "vhosts/\(name)")
        return result
    }

    /// Deletes a queue, whoever consumes from it.
    public func deleteQueue(_ queue: String) async throws {
        _ = try await Self.call("DELETE", "queues/\(self.name)/\(queue)")
    }

    /// Whether the management API lists a connection to this virtual host whose client calls it so: some seconds after it was made.
    public func hasConnections(named name: String) async throws -> Bool {
        try await !self.connections(named: name).isEmpty
    }

    /// Closes all connections to this virtual host whose clients call them so; those that it closed. No two have ever the same of these
    /// names, of host and port at both ends. The API lists some that are gone already.
    public func closeConnections(named name: String) async throws -> Set<String> {
        var closed: Set<String> = []
        for connection in try await self.connections(named: name) {
            let path = "connections/\(connection.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")"
            switch try await Self.answer("DELETE", path).status {
            case 200..<300: closed.insert(connection)
            case 404: break
            case let status: throw Failure(description: "DELETE \(path): \(status)")
            }
        }
        return closed
    }

    private func connections(named name: String) async throws -> [String] {
        let answer = try await Self.call("GET", "vhosts/\(self.name)/connections")
        let connections = try JSONSerialization.jsonObject(with: answer) as? [[String: Any]] ?? []
        return connections.compactMap { connection in
            let properties = connection["client_properties"] as? [String: Any]
            return properties?["connection_name"] as? String == name ? connection["name"] as? String : nil
        }
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
        // A virtual host with delays goes with some thirty replicated queues, one after the other.
        request.timeoutInterval = 240
        request.httpBody = body.map { Data($0.utf8) }
        let (data, response) = try await URLSession.shared.data(for: request)
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, data)
    }
}
