import BalancerKit
import ScaleCore
import Testing

@Suite struct PreferredEndpointTests {
    static func pick(_ set: inout EndpointSet, _ address: Endpoint.Address?, at now: Instant = Instant(nanoseconds: 0)) -> String? {
        var history = CallHistory()
        guard case .endpoint(let selection) = set.pick(&history, preferring: address, at: now) else { return nil }
        set.report(selection, .success, at: now)
        return selection.endpoint.description
    }

    @Test func `who is preferred is picked, and counts as its turn`() throws {
        var set = try EndpointSet(["a:1", "b:1", "c:1"])
        #expect(Self.pick(&set, .host("c", port: 1)) == "c:1")
        #expect([nil, nil].map { Self.pick(&set, $0) } == ["a:1", "b:1"])
    }

    @Test func `clients that are bound to one do not keep the others away from it for ever`() throws {
        var set = try EndpointSet(["a:1", "b:1"])
        for _ in 0..<1000 { #expect(Self.pick(&set, .host("a", port: 1)) == "a:1") }
        #expect(Set((0..<3).compactMap { _ in Self.pick(&set, nil) }) == ["a:1", "b:1"])
    }

    @Test func `who cannot be picked gives way to the strategy`() throws {
        var down = Endpoint(host: "b", port: 1)
        down.isDown = true
        var set = try EndpointSet(["a:1", down, Endpoint(host: "c", port: 1, isBackup: true)])
        for address in [Endpoint.Address.host("b", port: 1), .host("c", port: 1), .host("x", port: 1)] {
            #expect(Self.pick(&set, address) == "a:1")
        }
        // One that this call has tried is not asked again.
        var pair = try EndpointSet(["a:1", "b:1"])
        var history = CallHistory()
        let now = Instant(nanoseconds: 0)
        var picked: [String] = []
        for _ in 0..<2 {
            guard case .endpoint(let selection) = pair.pick(&history, preferring: .host("b", port: 1), at: now) else { continue }
            pair.report(selection, .failure, at: now)
            picked.append(selection.endpoint.description)
        }
        #expect(picked == ["b:1", "a:1"])
    }
}
