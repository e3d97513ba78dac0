import BalancerKit

/// Calls that are spread over endpoints in turn, as nginx spreads them.
public enum BalancerTour {
    public static func run(say: @escaping @Sendable (String) -> Void) async throws {
        // snippet: balancer
        let balancer = try Balancer(endpoints: ["10.0.0.1:8001", "10.0.0.2:8001"])
        for _ in 0..<3 {
            let served = try await balancer.withEndpoint { endpoint in
                "\(endpoint)"  // your call; refused connections are tried elsewhere
            }
            say(served)
        }
        // end snippet
    }
}
