import ScaleRedis
import ScaleTesting
import TestServers
import Testing

@testable import QueueKitRedis

@Suite(.enabled(if: PrivateRedis.isInstalled, "needs redis-server"))
struct ResultWatchTests {
    // So that nothing is missed between looking and listening.
    @Test func `whoever waits is told to look as soon as it listens`() async throws {
        let server = try await PrivateRedis.running()
        let watch = ResultWatch(try RedisClient(server.url, configuration: .patient))
        // The first opens the connection; the others come while it stands, one of them to the same key.
        for key in ["a", "b", "b"] {
            let (ticket, news) = watch.register(for: key)
            let told = PendingCall("news of \(key)") {
                var iterator = news.makeAsyncIterator()
                return try await iterator.next() != nil
            }
            #expect(try await told.value())
            if key == "a" { watch.unregister(ticket, for: key) }
        }
    }

    @Test func `news comes to the key's own waiters, to all of them, and to nobody who has left`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .patient)
        let watch = ResultWatch(redis)
        let tickets = ["a", "a", "b"].map { watch.register(for: $0) }
        var iterators = tickets.map { $0.news.makeAsyncIterator() }
        for index in iterators.indices { #expect(try await iterators[index].next() != nil) }
        watch.unregister(tickets[0].ticket, for: "a")
        try await redis.publish("x", to: "a")
        #expect(try await iterators[1].next() != nil)
        watch.unregister(tickets[1].ticket, for: "a")
        try await eventually("nobody listens to a") { try await redis.publish("x", to: "a") == 0 }
        #expect(try await redis.publish("x", to: "b") == 1)
        #expect(try await iterators[2].next() != nil)
    }
}
