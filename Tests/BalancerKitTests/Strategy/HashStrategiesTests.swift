import ScaleCore
import Testing

@testable import BalancerKit

@Suite struct HashStrategiesTests {
    private static let now = Instant(nanoseconds: 0)

    private static func pick(_ set: inout EndpointSet, _ key: String?) -> Endpoint.Address? {
        var history = CallHistory()
        history.key = key.map { Array($0.utf8) }
        guard case .endpoint(let selection) = set.pick(&history, at: Self.now) else { return nil }
        set.report(selection, .success, at: Self.now)
        return selection.endpoint.address
    }

    private static func endpoints(_ count: Int, weight: Int = 1) -> [Endpoint] {
        (1...count).map { Endpoint(.host("10.0.0.\($0)", port: 80), weight: weight) }
    }

    @Test func `the checksum is that of zlib`() {
        var checksum = CRC32()
        checksum.update("1234".utf8)
        checksum.update("56789".utf8)
        #expect(checksum.value == 0xCBF4_3926)
    }

    @Test func `a key stays with its endpoint, and a missing one takes turns`() throws {
        for strategy in [KeyHash(), ConsistentHash(), NetworkHash()] as [any BalancingStrategy] {
            var set = try EndpointSet(Self.endpoints(5), strategy: strategy)
            for key in 0..<50 {
                let first = Self.pick(&set, "key \(key)")
                #expect(first != nil)
                #expect((0..<3).allSatisfy { _ in Self.pick(&set, "key \(key)") == first })
            }
            for key in [nil, ""] { #expect(Set((0..<5).map { _ in Self.pick(&set, key) }).count == 5) }
        }
    }

    @Test func `keys are spread by weight`() throws {
        for strategy in [KeyHash(), ConsistentHash()] as [any BalancingStrategy] {
            var endpoints = Self.endpoints(4)
            endpoints[0].weight = 5
            var set = try EndpointSet(endpoints, strategy: strategy)
            let counts = (0..<8000).reduce(into: [:]) { $0[Self.pick(&set, "\($1)"), default: 0] += 1 }
            #expect((4000...6000).contains(counts[endpoints[0].address] ?? 0), "\(counts)")
        }
    }

    @Test func `of a ring few keys move when an endpoint goes, and only its own`() throws {
        var set = try EndpointSet(Self.endpoints(10), strategy: .consistentHash)
        let before = (0..<2000).map { Self.pick(&set, "\($0)") }
        try set.update(Array(Self.endpoints(10).dropLast()))
        let gone = Endpoint.Address.host("10.0.0.10", port: 80)
        for key in 0..<2000 {
            let after = Self.pick(&set, "\(key)")
            #expect(before[key] == gone ? after != gone : after == before[key])
        }
    }

    @Test func `a call that failed goes on to another endpoint, and in the end to nobody`() throws {
        for strategy in [KeyHash(), ConsistentHash(), NetworkHash()] as [any BalancingStrategy] {
            var set = try EndpointSet(Self.endpoints(3), strategy: strategy)
            var history = CallHistory()
            history.key = [1, 2, 3]
            var seen: Set<Endpoint.Address> = []
            while case .endpoint(let selection) = set.pick(&history, at: Self.now) {
                #expect(seen.insert(selection.endpoint.address).inserted)
                set.report(selection, .abandoned, at: Self.now)
            }
            #expect(seen.count == 3)
        }
    }

    @Test func `enormous weights make no enormous ring`() throws {
        var endpoints = Self.endpoints(2, weight: 1_000_000_000)
        endpoints[1].weight = 3
        var set = try EndpointSet(endpoints, strategy: .consistentHash)
        #expect(Self.pick(&set, "a") != nil)
    }

    @Test func `backups take keys only while no other endpoint can`() throws {
        var endpoints = Self.endpoints(3)
        endpoints[0].isDown = true
        endpoints[1].isDown = true
        endpoints[2].isBackup = true
        for strategy in [KeyHash(), ConsistentHash(), NetworkHash()] as [any BalancingStrategy] {
            var set = try EndpointSet(endpoints, strategy: strategy)
            #expect(Self.pick(&set, "a") == endpoints[2].address)
        }
    }
}
