import NIOCore
import NIOPosix
import Programs
import ScaleTesting
import Testing

@testable import ProfileService

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Who has a place among those who listen: so many in all, and so many of one client.
@Suite struct LivePlaceRules {
    typealias Way = ServiceUnderTest.Way

    /// Takes places at every instance, as long as what is returned lives.
    private static func take(
        _ count: (LiveAudience.Limits) -> Int, _ service: ServiceUnderTest, client: (Int) -> String
    ) throws -> [[LiveListener]] {
        try service.demo.feeds.map { feed in
            try (0..<count(feed.audience.limits)).map { try feed.audience.enter(client: client($0), lastEventID: nil) }
        }
    }

    @Test(arguments: Way.allCases) func `beyond the limit a listener is refused, until somebody leaves`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            var places = try Self.take(\.listeners, service) { "10.0.0.\($0)" }
            let refusal = try await service.request("GET", "/live", via: way)
            #expect(refusal.status == 503)
            #expect(refusal.header("retry-after") == "5")
            #expect(refusal.header("content-type") == "application/json")
            #expect(try await service.request("GET", "/profiles", via: way).status == 200)
            for feed in places.indices { places[feed].removeLast() }
            _ = try await HTTPConversation.with(port: service.port(way)) { try await $0.listen() }
        }
    }

    /// By the other way the header is what the proxy makes of it.
    @Test(arguments: Way.allCases) func `a client with all of its places gets 429, whatever it claims to be, and others listen`(way: Way)
        async throws
    {
        try await ServiceUnderTest.with { service async throws in
            var places = try Self.take(\.listenersPerClient, service) { _ in "127.0.0.2" }
            #expect(places.allSatisfy { $0.count == 8 })
            for claim in [[], ["X-Real-IP: 10.0.0.1"], ["X-Forwarded-For: 10.0.0.1"]] {
                let refusal = try await service.request("GET", "/live", via: way, headers: claim, from: "127.0.0.2")
                #expect(refusal.status == 429)
                #expect(refusal.header("retry-after") == "5")
                #expect(refusal.header("content-type") == "application/json")
                #expect(try await service.request("HEAD", "/live", via: way, headers: claim, from: "127.0.0.2").status == 429)
            }
            #expect(try await service.request("GET", "/profiles", via: way, from: "127.0.0.2").status == 200)
            _ = try await HTTPConversation.with(port: service.port(way), from: "127.0.0.3") { try await $0.listen() }
            for feed in places.indices { places[feed].removeLast() }
            _ = try await HTTPConversation.with(port: service.port(way), from: "127.0.0.2") { try await $0.listen() }
        }
    }

    @Test func `clients of a trusted proxy are counted apart`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let places = try Self.take(\.listenersPerClient, service) { _ in "10.0.0.1" }
            for (client, status) in [("10.0.0.1", 429), ("10.0.0.2", 200)] {
                #expect(try await service.request("HEAD", "/live", via: .direct, headers: ["X-Real-IP: \(client)"]).status == status)
            }
            withExtendedLifetime(places) {}
        }
    }

    /// client:  8 connections ── a ninth: 429 ── one of the eight is closed ── a ninth: 200
    @Test func `a client's place is free when its connection is closed`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let audience = service.demo.feeds[0].audience
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(to: try SocketAddress(ipAddress: "127.0.0.2", port: 0))
            var connections: [any Channel] = []
            for _ in 0..<audience.limits.listenersPerClient {
                let connection = try await bootstrap.connect(host: "127.0.0.1", port: service.instancePorts[0]).get()
                try await connection.writeAndFlush(ByteBuffer(string: "GET /live HTTP/1.1\r\nHost: a\r\n\r\n")).get()
                connections.append(connection)
            }
            try await eventually("all of them listen") { audience.count == connections.count }
            #expect(try await service.request("HEAD", "/live", via: .direct, from: "127.0.0.2").status == 429)
            try await connections.removeLast().close().get()
            // A comment that cannot be written would free it as well, and the first of them comes after 15 s.
            try await eventually(within: .seconds(10), "the place is free") {
                try await service.request("HEAD", "/live", via: .direct, from: "127.0.0.2").status == 200
            }
            for connection in connections { try await connection.close().get() }
        }
    }

    @Test func `a flag says how many places one client may have`() async throws {
        let running = try ProfileServiceProgram.Running.start([
            "serve", "--listen", "127.0.0.1:0", "--seed", "0", "--listeners-per-client", "1",
        ])
        let port = try await running.port()
        try await HTTPConversation.with(port: port) { speaker in
            try await speaker.listen()
            #expect(try await HTTPConversation.request("HEAD", "/live", port: port).status == 429)
            #expect(try await HTTPConversation.request("HEAD", "/live", port: port, from: "127.0.0.2").status == 200)
        }
        running.signal(SIGTERM)
        #expect(try await running.outcome().status == 0)
    }

    @Test func `one client's share and that of all are told apart`() throws {
        let audience = LiveAudience(limits: .init(listeners: 3, listenersPerClient: 2))
        var places = try ["a", "a", "b"].map { try audience.enter(client: $0, lastEventID: nil) }
        // A client that has its share is told so, also when there is no place for anybody.
        #expect(throws: LiveAudience.Refusal.fullForClient) { try audience.enter(client: "a", lastEventID: nil) }
        #expect(throws: LiveAudience.Refusal.full) { try audience.enter(client: "b", lastEventID: nil) }
        places.removeFirst()
        places.append(try audience.enter(client: "a", lastEventID: nil))
        #expect(throws: LiveAudience.Refusal.fullForClient) { try audience.enter(client: "a", lastEventID: nil) }
        audience.close()
        #expect(throws: LiveAudience.Refusal.full) { try audience.enter(client: "a", lastEventID: nil) }
    }
}
