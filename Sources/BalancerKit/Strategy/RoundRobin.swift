/// Each endpoint in turn, in proportion to the weights and as evenly spread as they allow: nginx's default.
///
/// Weights 5, 1, 1 give a a b a c a a, not five times a in a row; equal weights give plain round robin. An endpoint that failed comes back
/// with less than its weight and regains it pick by pick. O(endpoints) per pick.
///
/// Source: nginx's smooth weighted round robin, `ngx_http_upstream_get_peer`.
public struct RoundRobin: BalancingStrategy {
    public init() {}

    public mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        candidates.takeTurn()
    }
}

extension BalancingStrategy where Self == RoundRobin {
    /// Each endpoint in turn, in proportion to the weights (nginx's smooth weighted round robin).
    public static var roundRobin: RoundRobin { RoundRobin() }
}
