/// The endpoint with the fewest calls in flight in relation to its weight; among equals, whose turn it is by smooth weighted round robin.
///
/// Fits calls of very different length. O(endpoints) per pick.
///
/// Source: nginx's `least_conn`, `ngx_http_upstream_least_conn_module.c`.
public struct LeastConnections: BalancingStrategy {
    public init() {}

    public mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        var best = 0
        var least = candidates.load(at: 0)
        var isTied = false
        for position in 1..<max(1, candidates.count) {
            let load = candidates.load(at: position)
            if load < least {
                (best, least, isTied) = (position, load, false)
            } else if load == least {
                isTied = true
            }
        }
        return isTied ? candidates.takeTurn { $0 == least } : best
    }
}

extension BalancingStrategy where Self == LeastConnections {
    /// The endpoint with the fewest calls in flight in relation to its weight (nginx's `least_conn`).
    public static var leastConnections: LeastConnections { LeastConnections() }
}
