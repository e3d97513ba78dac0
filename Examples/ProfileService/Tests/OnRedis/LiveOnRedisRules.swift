import PrivateServers
import ScaleRedis
import ScaleTesting
import Testing

@testable import ProfileService

/// The feed of changed profiles on Redis, whose servers go away and come back.
@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct LiveOnRedisRules {
    private static let change = #"{"name":"Changed","bio":""}"#

    @Test(arguments: 0..<2) func `a change on one instance is heard on both, with its id alone on the server`(writer: Int) async throws {
        let (cache, sessions) = (try await PrivateRedis.running(), try await PrivateRedis.running())
        let watcher = try RedisClient(sessions.url)
        let watched = try await watcher.subscribe(patterns: ["*"])
        try await ServiceUnderTest.with(on: .steadyRedis(cache: cache.url, sessions: sessions.url)) { service async throws in
            try await service.hearing()
            let cookie = try await service.login(1)
            for reader in 0..<2 {
                try await HTTPConversation.with(port: service.instancePorts[reader]) { speaker in
                    try await speaker.listen()
                    #expect(try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie, onInstance: writer).status == 200)
                    let event = try await speaker.news()
                    #expect(event.name == "profile")
                    #expect(event.data == [try await service.request("GET", "/profiles/1").text])
                }
                var messages = watched.makeAsyncIterator()
                let message = try await messages.next()
                #expect(message?.channel == "profiles:live")
                #expect(message?.payload == Array("1".utf8))
            }
        }
        await watcher.shutdown()
    }

    @Test func `after the connection to Redis was lost, listeners are told to read anew, and hear on`() async throws {
        let (cache, sessions) = (try await PrivateRedis.running(), try await PrivateRedis.running())
        try await ServiceUnderTest.with(on: .redis(cache: cache.url, sessions: sessions.url)) { service async throws in
            try await service.hearing()
            for instance in 0..<2 {
                try await HTTPConversation.with(port: service.instancePorts[instance]) { speaker in
                    try await speaker.listen()
                    try await sessions.killAndRestart()
                    #expect(try await speaker.news().name == "reset")
                    try await eventually("sessions are back") {
                        try await service.request("GET", "/readyz", onInstance: 0).status == 200
                    }
                    let cookie = try await service.login(1, via: .direct)
                    #expect(try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie, onInstance: 0).status == 200)
                    #expect(try await speaker.news().name == "profile")
                }
            }
        }
    }

    /// A listener that was there before Redis was.
    @Test func `a Redis that is down at start is listened to as soon as it is there`() async throws {
        let server = try PrivateRedis.stopped()
        try await ServiceUnderTest.with(on: .redis(cache: server.url, sessions: server.url)) { service async throws in
            try await HTTPConversation.with(port: service.proxyPort) { speaker in
                try await speaker.listen()
                try await server.start()
                #expect(try await speaker.news().name == "reset")
            }
        }
    }

    /// writer:    503, the cache does not know ──────────────────────────────── delivered
    /// listener:                                hears nothing of it             hears of it
    @Test func `what the caches could not be told is heard of when they were`() async throws {
        let (cache, sessions) = (try await PrivateRedis.running(), try await PrivateRedis.running())
        try await ServiceUnderTest.with(on: .redis(cache: cache.url, sessions: sessions.url)) { service async throws in
            try await service.hearing()
            let cookie = try await service.login(1)
            let before = service.demo.feeds.map(\.audience.lastEventID)
            try await HTTPConversation.with(port: service.instancePorts[1]) { speaker in
                try await speaker.listen()
                try await cache.stop()
                #expect(try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie, onInstance: 0).status == 503)
                let user = #"{"email":"new@example.com","password":"long enough","name":"New"}"#
                #expect(try await service.request("POST", "/users", user, onInstance: 0).status == 503)
                #expect(service.demo.feeds.map(\.audience.lastEventID) == before)
                try await cache.start()
                let names = [try await speaker.news(), try await speaker.news()].map { $0.data.first ?? "" }
                #expect(names[0].contains(#""name":"Changed""#), "\(names)")
                #expect(names[1].contains(#""name":"New""#), "\(names)")
                #expect(try await service.demo.database.newestPendingNotice() == nil)
            }
        }
    }

    @Test func `what anybody publishes there is an id or nothing`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url)
        try await ServiceUnderTest.with(on: .steadyRedis(cache: server.url, sessions: server.url)) { service async throws in
            try await service.hearing()
            try await HTTPConversation.with(port: service.instancePorts[0]) { speaker in
                try await speaker.listen()
                for text in ["", "0", "{\"id\":1}", "999999", String(repeating: "9", count: 100_000), "2"] {
                    try await redis.publish(RedisArgument(text), to: "profiles:live")
                }
                #expect(try await speaker.news().data.first?.contains(Seed.email(2)) == true)
                try await redis.publish("*", to: "profiles:live")
                #expect(try await speaker.news().name == "reset")
            }
        }
        await redis.shutdown()
    }
}
