import Foundation
import QueueKit
import ScaleTesting
import TestServers

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// An unmodified Flower on a loopback port of its own.
struct Flower {
    let port: Int
    private let process: ChildProcess

    static func with(_ host: RabbitMQVirtualHost, _ body: (Flower) async throws -> Void) async throws {
        let port = try PrivateServer.freePort()
        let process = try CeleryTool.start(
            ["flower", "--address=127.0.0.1", "--port=\(port)"], host: host, environment: ["FLOWER_UNAUTHENTICATED_API": "1"])
        let flower = Flower(port: port, process: process)
        do {
            try await eventually(within: .seconds(90), "Flower answers") {
                guard process.isRunning else { throw TestFailure("Flower has ended") }
                return (try? await flower.get("/healthcheck").status) == 200
            }
            try await body(flower)
        } catch {
            let output = process.output.suffix(3000)
            try? await process.end(SIGKILL)
            throw TestFailure("\(error)\nFlower wrote:\n\(output)")
        }
        try await process.end(SIGKILL)
    }

    struct Answer {
        var status: Int
        var body: String
        var json: JSONObject { (try? JSONParser.parse(self.body).objectValue) ?? [:] }
    }

    func get(_ path: String) async throws -> Answer { try await self.call("GET", path) }

    func post(_ path: String) async throws -> Answer { try await self.call("POST", path) }

    private func call(_ method: String, _ path: String) async throws -> Answer {
        guard let url = URL(string: "http://127.0.0.1:\(self.port)\(path)") else { throw TestFailure("no URL: \(path)") }
        var request = URLRequest(url: url)
        request.httpMethod = method
        let (data, response) = try await URLSession.shared.data(for: request)
        return Answer(status: (response as? HTTPURLResponse)?.statusCode ?? 0, body: String(decoding: data, as: UTF8.self))
    }
}
