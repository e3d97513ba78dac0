import BalancerKit
import ScaleCore
import ScaleTesting
import Testing

struct NginxEquivalenceTests {
    @Test(arguments: [false, true])
    func `on any schedule of calls, failures and pauses the picks are nginx's`(isLeastConnections: Bool) async throws {
        try await withSeeds(60) { random in
            let endpoints = Self.makeEndpoints(using: &random)
            var peers = NginxPeers(peers: endpoints.map(NginxPeers.Peer.init), isLeastConnections: isLeastConnections)
            var set =
                isLeastConnections
                ? try EndpointSet(endpoints, strategy: .leastConnections) : try EndpointSet(endpoints, strategy: .roundRobin)
            var running: [(selection: Selection, history: CallHistory, request: NginxPeers.Request)] = []
            var milliseconds = Int.random(in: 0...5_000, using: &random)

            func attempt(_ history: CallHistory, _ request: NginxPeers.Request) throws {
                var (history, request) = (history, request)
                let expected = peers.get(&request, now: milliseconds / 1000)
                switch set.pick(&history, at: Instant(nanoseconds: Int64(milliseconds) * 1_000_000)) {
                case .endpoint(let selection):
                    try expectEqual(selection.letter, expected, "the pick after \(running.count) calls in flight")
                    running.append((selection, history, request))
                case .unavailable:
                    try expectEqual(nil, expected, "nobody was picked")
                }
            }

            for _ in 0..<400 {
                switch Int.random(in: 0..<8, using: &random) {
                case 0..<4:
                    try attempt(CallHistory(), NginxPeers.Request())
                case 4..<7 where !running.isEmpty:
                    let call = running.remove(at: .random(in: 0..<running.count, using: &random))
                    let failed = Int.random(in: 0..<3, using: &random) == 0
                    peers.free(call.selection.letter, failed: failed, now: milliseconds / 1000)
                    set.report(call.selection, failed ? .failure : .success, at: Instant(nanoseconds: Int64(milliseconds) * 1_000_000))
                    if failed { try attempt(call.history, call.request) }
                default:
                    milliseconds += [1, 300, 1000, 4000].randomElement(using: &random) ?? 1
                }
                for (status, peer) in zip(set.status(at: Instant(nanoseconds: 0)), peers.peers) {
                    try expectEqual(status.activeCalls, peer.connections, "calls in flight to \(peer.name)")
                    try expectEqual(status.fails, peer.fails, "failures of \(peer.name)")
                }
            }
        }
    }

    private static func makeEndpoints(using random: inout SeededGenerator) -> [Endpoint] {
        let count = Int.random(in: 1...6, using: &random)
        return "abcdef".prefix(count).enumerated().map { index, letter in
            Endpoint.named(
                String(letter), weight: .random(in: 1...6, using: &random), maxFails: .random(in: 0...3, using: &random),
                failTimeout: .seconds(Int.random(in: 0...5, using: &random)), maxConnections: .random(in: 0...4, using: &random),
                isBackup: index > 2, isDown: Int.random(in: 0..<8, using: &random) == 0)
        }
    }
}
