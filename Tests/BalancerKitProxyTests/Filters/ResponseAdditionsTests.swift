import BalancerKit
import Testing

@testable import BalancerKitProxy

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct ResponseAdditionsTests {
    private static let now: Int64 = 1_700_000_000

    private static func text(_ changes: ResponseChanges) -> String { String(decoding: changes.lines, as: UTF8.self) }

    @Test(arguments: 100...599) func `fields come with the statuses of nginx, or always`(status: Int) {
        let additions = ResponseAdditions(
            fields: [.init(name: "A", value: [0x61]), .init(name: "B", value: [0x62], isAlways: true), .init(name: "C", value: [])],
            expiry: .epoch)
        let changes = additions.changes(status: status, modified: nil, at: Self.now)
        let isUsual = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308].contains(status)
        let expiry = "Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\nCache-Control: no-cache\r\n"
        #expect(Self.text(changes) == (isUsual ? expiry + "A: a\r\n" : "") + "B: b\r\n")
        #expect(changes.removed == (isUsual ? ["expires", "cache-control"] : []))
    }

    @Test func `validators are replaced, the last one stands, and an empty one takes them away`() {
        let additions = ResponseAdditions(fields: [
            .init(name: "ETag", value: Array("\"1\"".utf8), replaces: true),
            .init(name: "eTag", value: Array("\"2\"".utf8), replaces: true),
            .init(name: "last-modified", value: [], replaces: true), .init(name: "X", value: [0x78]), .init(name: "X", value: [0x79]),
        ])
        let own = Array("Etag: \"0\"\r\nETags: a\r\nLast-Modified: b\r\nX: own\r\n".utf8)
        let changes = additions.changes(status: 200, modified: nil, at: Self.now)
        #expect(String(decoding: changes.applied(to: own), as: UTF8.self) == "ETags: a\r\nX: own\r\neTag: \"2\"\r\nX: x\r\nX: y\r\n")
    }

    @Test func `times that no date can tell stay within the dates that there are`() throws {
        let longest = ResponseExpiry.longestSeconds
        for modified in [Int64.min, -1, 0, Self.now, 253_402_300_799, .max] {
            for seconds in [-longest, -1, 0, 1, longest] {
                let fields = try #require(ExpiryFields(.afterModification(.seconds(seconds)), modified: modified, at: Self.now))
                #expect((0...253_402_300_799).contains(fields.second))
                #expect(HTTPDate.bytes(ofSecond: fields.second).count == 29)
                #expect(fields.maximumAge.map { $0 >= 0 } ?? true)
            }
        }
        for time in [
            ResponseExpiry.after(.seconds(longest + 1)), .after(.milliseconds(1)), .atTimeOfDay(.seconds(86_401)),
            .after(.seconds(Int64.min)),
        ] {
            var configuration = ProxyConfiguration(endpoints: ["127.0.0.1:1"])
            configuration.routes[0].responses.expiry = time
            #expect(throws: ProxyError.self, "\(time)") { try configuration.validate() }
        }
    }

    @Test func `a time before the modification is over, also where that is still to come`() {
        let fields = ExpiryFields(.afterModification(.seconds(-10)), modified: Self.now + 1000, at: Self.now)
        #expect(fields?.second == Self.now + 990)
        #expect(fields?.maximumAge == nil, "Cache-Control: no-cache")
    }

    @Test func `a time of the day comes within a day, and at that time`() {
        for second in stride(from: Self.now, through: Self.now + 200_000, by: 7919) {
            for clock in [0, 1, 3661, 86_399, 86_400] as [Int64] {
                let next = LocalTime.next(secondOfDay: clock, after: second)
                // An hour more or less where the clock is put forward or back.
                #expect(next > second && next <= second + 90_000)
                let parts = LocalTime.parts(of: next)
                #expect(parts.map { Int64($0.tm_hour) * 3600 + Int64($0.tm_min) * 60 + Int64($0.tm_sec) } == clock % 86_400)
            }
        }
        #expect(LocalTime.next(secondOfDay: .max, after: 5) == 5)
        #expect(LocalTime.next(secondOfDay: 0, after: .max) == .max)
    }

    @Test(arguments: ["", "X A", "X:", "Content-Length", "transfer-encoding", "Connection", "Upgrade", "Trailer", "Keep-Alive"])
    func `what frames a message cannot be set`(name: String) throws {
        for place in 0..<3 {
            var configuration = ProxyConfiguration(endpoints: ["127.0.0.1:1"])
            let fields = [ResponseField(name: name, value: try RequestTemplate("a"))]
            switch place {
            case 0: configuration.responses.fields = fields
            case 1: configuration.routes[0].responses.fields = fields
            default:
                configuration.hosts = [ProxyHost(names: ["a"], routes: configuration.routes)]
                configuration.hosts[0].responses.fields = fields
            }
            #expect(throws: ProxyError.self) { try configuration.validate() }
        }
    }

    @Test(arguments: ["a\r\nX: b", "a\n", "\r", "$uri\n"]) func `a value cannot end its line`(value: String) throws {
        var configuration = ProxyConfiguration(endpoints: ["127.0.0.1:1"])
        configuration.responses.fields = [ResponseField(name: "A", value: try RequestTemplate(value))]
        #expect(throws: ProxyError.self) { try configuration.validate() }
    }
}
