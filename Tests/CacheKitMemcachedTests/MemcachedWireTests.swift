import CacheKit
import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKitMemcached

/// What may reach the wire: names and expiries.
@Suite struct MemcachedWireTests {
    private static let names: [String] = {
        var names = [
            "", " ", "a b", "a\nb", "a\r\nset x 0 0 1", "a\0b", "a\tb", "a\u{7F}b", "\u{E9}", "e\u{301}", "日本", "k", "K", "k ", "%!", "%",
            ":",
        ]
        for length in [180, 181, 182, 249, 250, 251, 5_000] {
            names.append(String(repeating: "x", count: length))
            names.append(String(repeating: " ", count: length))
        }
        return names
    }()

    @Test func `every name becomes 1 to 250 visible ASCII bytes, and no two become the same`() {
        var spelled: [String: String] = [:]
        for namespace in Self.names {
            for name in Self.names {
                let key = WireName.of(CacheKey(namespace: namespace, name: name))
                let tag = WireName.of(CacheTag(namespace: namespace, name: name))
                for (wire, kind) in [(key, "key"), (tag, "tag")] {
                    #expect((1...250).contains(wire.utf8.count))
                    #expect(wire.utf8.allSatisfy { (0x21...0x7E).contains($0) })
                    let origin = "\(kind) \(Array(namespace.utf8)) \(Array(name.utf8))"
                    #expect(spelled.updateValue(origin, forKey: wire) == nil)
                }
            }
            let sequence = WireName.ofSequence(namespace)
            #expect((1...250).contains(sequence.utf8.count) && sequence.utf8.allSatisfy { (0x21...0x7E).contains($0) })
            #expect(spelled.updateValue("sequence", forKey: sequence) == nil)
        }
    }

    @Test func `a name that looks like a hashed one is not taken for it`() {
        let hashed = WireName.of(CacheKey(namespace: "n", name: "a b"))
        #expect(hashed.hasPrefix("%!"))
        #expect(WireName.of(CacheKey(namespace: hashed, name: "")) != hashed)
        #expect(!WireName.of(CacheKey(namespace: hashed, name: "")).hasPrefix("%!"))
        #expect(!WireName.of(CacheKey(namespace: "", name: hashed)).hasPrefix("%!"))
    }

    private static let now = UTCTime(millisecondsSinceEpoch: 1_800_000_000_000)

    private static let ends: [(end: Int64, expected: Int)] = [
        (Int64.max, 0),  // never
        (1_800_000_000_000, 2_592_001), (1_799_999_999_999, 2_592_001), (0, 2_592_001), (Int64.min, 2_592_001),  // over: gone at once
        (1_800_000_000_001, 2), (1_800_000_001_000, 2), (1_800_000_001_001, 3),  // never cut short
        (1_802_591_999_000, 2_592_000), (1_802_591_999_001, 1_802_592_001),  // 30 days
        (1_803_456_000_000, 1_803_456_001),
        (2_147_483_646_000, 2_147_483_647), (2_147_483_646_001, 0), (Int64.max - 1, 0),  // what the server cannot say
    ]

    @Test func `an end becomes the number that the server takes`() {
        for (end, expected) in Self.ends { #expect(WireExpiry.seconds(until: end, now: Self.now) == expected, "end \(end)") }
    }

    private static let lives: [(life: Duration?, expected: UInt32)] = [
        (nil, 0), (.milliseconds(1), 1_800_000_001), (.seconds(1), 1_800_000_001), (.milliseconds(1001), 1_800_000_002),
        (.zero, 1 << 30), (.seconds(-1), 1 << 30), (.seconds(Int64.min), 1 << 30), (.seconds(Int64.max), 0),
        (.seconds(3_000_000_000), 0),
    ]

    @Test func `a counter's end is in its flags`() {
        for (life, expected) in Self.lives { #expect(CounterEnd(of: CacheLife(life), at: Self.now).flags == expected, "\(life as Any)") }
    }

    @Test func `flags of other programs are no end`() {
        for flags: UInt32 in [0, 1, 2, 4, 8, 16] {
            let end = CounterEnd(flags: flags)
            #expect(!end.hasPassed(at: Self.now))
            #expect(end.expiry(at: Self.now) == WireExpiry.never)
        }
    }

    @Test func `a lease may be taken over when it has been seen for as long as it lasts`() throws {
        let token = try #require(LeaseToken(high: 1, low: 2))
        let other = try #require(LeaseToken(high: 1, low: 3))
        var sightings = LeaseSightings(capacity: 2)
        let start = Instant(nanoseconds: 0)
        #expect(sightings.remaining("k", token, length: .seconds(10), at: start) == .seconds(10))
        #expect(sightings.remaining("k", token, length: .seconds(10), at: start.advanced(by: .seconds(4))) == .seconds(6))
        #expect(sightings.remaining("k", token, length: .seconds(10), at: start.advanced(by: .seconds(10))) <= .zero)
        // Another token begins anew.
        #expect(sightings.remaining("k", other, length: .seconds(10), at: start.advanced(by: .seconds(10))) == .seconds(10))
        // What there is no room for is forgotten, and waited for once more.
        for name in ["l", "m", "n"] { sightings.note(name, token, length: .seconds(60), at: start.advanced(by: .seconds(11))) }
        #expect(sightings.remaining("k", other, length: .seconds(10), at: start.advanced(by: .seconds(19))) == .seconds(10))
    }

    @Test func `a server rests after a failure, and no other does`() {
        var rests = ServerRests(length: .seconds(1))
        let start = Instant(nanoseconds: 0)
        rests.begin(1, at: start)
        #expect(rests.rests(1, at: start.advanced(by: .milliseconds(999))))
        #expect(!rests.rests(1, at: start.advanced(by: .seconds(1))))
        #expect(!rests.rests(0, at: start))
    }
}
