import Foundation
import Logging
import NIOCore
import NIOPosix
import ScaleCore
import ScaleTesting
import Testing

@testable import ProfileService

/// The feed of changed profiles: what is heard, by whom, and what becomes of those who listen badly.
@Suite struct LiveRules {
    typealias Way = ServiceUnderTest.Way

    private static let change = #"{"name":"Changed","bio":"two\nlines"}"#

    /// The ports at which one can listen: the proxy's and each instance's.
    private static func ports(_ service: ServiceUnderTest) -> [Int] { [service.proxyPort] + service.instancePorts }

    @Test(arguments: 0..<2) func `a PUT on either instance is heard by all, by every way, as GET gives the profile`(writer: Int)
        async throws
    {
        try await ServiceUnderTest.with { service async throws in
            try await service.hearing()
            let cookie = try await service.login(2)
            for port in Self.ports(service) {
                try await HTTPConversation.with(port: port) { speaker in
                    let head = try await speaker.listen()
                    #expect(head.header("content-type") == "text/event-stream")
                    #expect(head.header("cache-control") == "no-store")
                    // The proxy takes it as said to itself, as NGINX does.
                    if port != service.proxyPort { #expect(head.header("x-accel-buffering") == "no") }
                    #expect(try await service.request("PUT", "/profiles/2", Self.change, cookie: cookie, onInstance: writer).status == 200)
                    let event = try await speaker.news()
                    #expect(event.name == "profile")
                    #expect(event.id?.isEmpty == false)
                    let profile = try await service.request("GET", "/profiles/2", via: .direct).text
                    #expect(event.data == [profile])
                    #expect(try await service.list(onInstance: 1 - writer).profiles[1].bio == "two\nlines")
                }
            }
        }
    }

    @Test func `a sign-up is heard, a refused write is not, and ids differ`() async throws {
        try await ServiceUnderTest.with { service async throws in
            try await service.hearing()
            let cookie = try await service.login(1)
            try await HTTPConversation.with(port: service.proxyPort) { speaker in
                try await speaker.listen()
                #expect(try await service.request("PUT", "/profiles/2", Self.change, cookie: cookie).status == 403)
                #expect(try await service.request("PUT", "/profiles/1", "{}", cookie: cookie).status == 422)
                let user = #"{"email":"new@example.com","password":"long enough","name":"New"}"#
                let id = try await service.request("POST", "/users", user).json()["id"] as? Int
                let first = try await speaker.news()
                #expect(first.data.first?.contains(#""id":\#(id ?? 0),"name":"New""#) == true, "\(first)")
                #expect(try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie).status == 200)
                let second = try await speaker.news()
                #expect(second.name == "profile")
                #expect(second.id != first.id)
            }
        }
    }

    @Test func `each change is heard once, in order`() async throws {
        try await ServiceUnderTest.with { service async throws in
            try await service.hearing()
            let cookies = [try await service.login(1), try await service.login(2)]
            try await HTTPConversation.with(port: service.instancePorts[1]) { speaker in
                try await speaker.listen()
                for round in 0..<10 {
                    let user = round % 2 + 1
                    let change = #"{"name":"Round \#(round)","bio":""}"#
                    #expect(try await service.request("PUT", "/profiles/\(user)", change, cookie: cookies[user - 1]).status == 200)
                    #expect(try await speaker.news().data.first?.contains("Round \(round)") == true)
                }
            }
        }
    }

    @Test func `nobody's change costs a query that nobody has asked for`() async throws {
        try await ServiceUnderTest.with { service async throws in
            try await service.hearing()
            let cookie = try await service.login(1)
            let before = service.demo.feeds.map(\.audience.lastEventID)
            let queries = service.metrics.total(of: "database_queries_total")
            #expect(try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie).status == 200)
            try await eventually("both instances have heard of it") {
                zip(before, service.demo.feeds).allSatisfy { $0 != $1.audience.lastEventID }
            }
            #expect(service.metrics.total(of: "database_queries_total") == queries)
        }
    }

    @Test(arguments: Way.allCases) func `HEAD has the headers, no body, and takes no place`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            let head = try await service.request("HEAD", "/live", via: way)
            #expect(head.status == 200)
            #expect(head.header("content-type") == "text/event-stream")
            #expect(head.header("cache-control") == "no-store")
            #expect(head.header("content-length") == nil)
            let rest = try await HTTPConversation.with(port: service.port(way)) { speaker in
                try await speaker.send("HEAD /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                _ = try await speaker.answerHead()
                return try await speaker.rest()
            }
            #expect(rest.isEmpty)
            try await eventually("the place is free") { service.demo.feeds.allSatisfy { $0.audience.count == 0 } }
        }
    }

    @Test func `a client of HTTP 1·0 gets the events without chunks`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let port = service.instancePorts[0]
            try await HTTPConversation.with(port: port) { speaker in
                try await speaker.send("GET /live HTTP/1.0\r\n\r\n")
                let head = try await speaker.answerHead()
                #expect(head.status == 200)
                #expect(head.header("transfer-encoding") == nil)
                service.demo.feeds[0].end()
                let rest = try await speaker.rest()
                #expect(rest == "retry: 2000\n\n")
            }
        }
    }

    @Test func `who comes again after missing something is told to read anew, and nobody else is`() async throws {
        try await ServiceUnderTest.with { service async throws in
            try await service.hearing()
            let cookie = try await service.login(1)
            let port = service.instancePorts[0]
            let last = try await HTTPConversation.with(port: port) { speaker in
                try await speaker.listen()
                _ = try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie)
                return try await speaker.news().id ?? ""
            }
            // Nothing has happened since.
            try await HTTPConversation.with(port: port) { speaker in
                try await speaker.listen(saying: "Last-Event-ID: \(last)\r\n")
                _ = try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie)
                #expect(try await speaker.news().name == "profile")
            }
            // That one was missed; and what another process has told means nothing here.
            for id in [last, "elsewhere-7", ""] {
                try await HTTPConversation.with(port: port) { speaker in
                    try await speaker.listen(saying: "Last-Event-ID: \(id)\r\n")
                    let event = try await speaker.news()
                    #expect(event.name == "reset")
                    #expect(event.data == ["{}"])
                    #expect(event.id == service.demo.feeds[0].audience.lastEventID)
                }
            }
        }
    }

    @Test(arguments: Way.allCases) func `the place of a client that goes is free at once`(way: Way) async throws {
        try await ServiceUnderTest.with { service async throws in
            try await HTTPConversation.with(port: service.port(way)) { speaker in
                try await speaker.listen()
                #expect(service.demo.feeds.reduce(0) { $0 + $1.audience.count } == 1)
            }
            // A comment that cannot be written would free it as well, and the first of them comes after 15 s.
            try await eventually(within: .seconds(10), "nobody listens") { service.demo.feeds.allSatisfy { $0.audience.count == 0 } }
        }
    }

    /// slow:   listens, reads nothing ─────────────────── its connection is closed
    /// quick:  listens, reads each event as it comes ──── still there
    @Test func `who is too slow is disconnected, and nobody waits for it`() async throws {
        try await ServiceUnderTest.with { service async throws in
            let audience = service.demo.feeds[0].audience
            let slow = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.autoRead, value: false).channelOption(.socketOption(.so_rcvbuf), value: 4096)
                .connect(host: "127.0.0.1", port: service.instancePorts[0]).get()
            try await slow.writeAndFlush(ByteBuffer(string: "GET /live HTTP/1.1\r\nHost: a\r\n\r\n")).get()
            try await eventually("the slow one listens") { audience.count == 1 }
            try await HTTPConversation.with(port: service.instancePorts[0]) { speaker in
                try await speaker.listen()
                let json = Array("\"\(String(repeating: "x", count: 60_000))\"".utf8)
                // Far more than the system's own buffers take.
                for _ in 0..<1000 where audience.count == 2 {
                    audience.tell { LiveEvent.profile(json, id: $0) }
                    #expect(try await speaker.news().id == audience.lastEventID)
                }
                #expect(audience.count == 1)
                let cookie = try await service.login(1)
                #expect(try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie).status == 200)
                #expect(try await speaker.news().data.first?.contains("Changed") == true)
            }
            // Its own end of the connection learns of it when it reads.
            try await slow.setOption(.autoRead, value: true).get()
            try await slow.closeFuture.get()
        }
    }

    /// A bus that takes a change and never says so.
    private struct SilentBus: LiveBus {
        func publish(_ change: LiveChange) async throws { try await Task.sleep(for: .seconds(3600)) }
        func listen(_ heard: (LiveChange) async -> Void) async throws { try await Task.sleep(for: .seconds(3600)) }
    }

    @Test func `no write waits for the feed`() async throws {
        try await ServiceUnderTest.with(on: .live(SilentBus())) { service async throws in
            let cookie = try await service.login(1)
            for _ in 0..<3 {
                #expect(try await service.request("PUT", "/profiles/1", Self.change, cookie: cookie).status == 200)
            }
        }
    }

    @Test func `a listener hears a comment every 15 s`() async throws {
        let time = ManualTime()
        try await ScratchDirectory.with { scratch in
            let database = try await ProfileDatabase(path: "\(scratch.path)/p.sqlite", seed: 0, metrics: PrometheusRegistry())
            let feed = LiveFeed(
                bus: MemoryLiveBus(), database: database, time: time.source,
                logger: .init(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let running = Task { try await feed.run() }
            try await feed.hearing.value()
            let listener = try feed.audience.enter(client: "a", lastEventID: nil)
            var events = listener.events.makeAsyncIterator()
            #expect(await events.next() == LiveEvent.greeting)
            for _ in 0..<3 {
                try await time.waitForSleepers(1)
                #expect(time.nextDeadline == time.now().advanced(by: .seconds(15)))
                await time.advance(by: .seconds(15))
                #expect(await events.next() == LiveEvent.heartbeat)
            }
            running.cancel()
            try await running.value
            #expect(await events.next() == nil)
            #expect(throws: LiveAudience.Refusal.full) { try feed.audience.enter(client: "a", lastEventID: nil) }
        }
    }

    @Test func `only an id or a star is a change`() {
        for (payload, change) in [
            ("1", LiveChange.profile(1)), ("9223372036854775807", .profile(.max)), ("*", .anything), ("", nil), ("0", nil), ("01", nil),
            ("-1", nil), ("9223372036854775808", nil), ("1 ", nil), ("12345678901234567890123", nil), ("{}", nil), ("٣", nil),
        ] {
            #expect(LiveChange(Array(payload.utf8)) == change, "\(payload)")
        }
        #expect(LiveChange([0xFF]) == nil)
    }

    @Test func `changes wait once each, in order, and in bounded space`() {
        var pending = PendingChanges()
        for id: Int64 in [3, 1, 3, 2] { pending.add(.profile(id)) }
        pending.putBack(.profile(9))
        pending.putBack(.profile(1))
        #expect(pending.takeAll() == [.profile(9), .profile(3), .profile(1), .profile(2)])
        for id in 1...Int64(PendingChanges.limit) { pending.add(.profile(id)) }
        pending.add(.profile(1))
        var full = pending
        #expect(pending.takeAll().count == PendingChanges.limit)
        full.add(.profile(0))
        full.add(.profile(7))
        full.putBack(.profile(7))
        #expect(full.takeAll() == [.anything])
        full.add(.profile(7))
        full.add(.anything)
        #expect(full.takeAll() == [.anything])
        #expect(full.take() == nil)
    }
}

extension PendingChanges {
    fileprivate mutating func takeAll() -> [LiveChange] {
        var changes: [LiveChange] = []
        while let change = self.take() { changes.append(change) }
        return changes
    }
}
