import BalancerKit
import Testing

struct NextEndpointPolicyTests {
    @Test(arguments: [
        (CallFailure.Progress.notSent, false, RetryDecision.retry),
        (.notSent, true, .retry),
        (.sent, false, .stop(.unsafe)),
        (.sent, true, .retry),
        (.responseStarted, false, .stop(.unsafe)),
        (.responseStarted, true, .stop(.unsafe)),
    ])
    func `a call is repeated only where that is safe`(progress: CallFailure.Progress, isIdempotent: Bool, decision: RetryDecision) {
        let policy = NextEndpointPolicy()
        #expect(policy.decide(after: progress, isIdempotent: isIdempotent, attempts: 1, elapsed: .seconds(3600)) == decision)
    }

    @Test func `a cancelled call is not repeated`() {
        let decision = NextEndpointPolicy().decide(after: .notSent, isIdempotent: true, attempts: 1, elapsed: .zero, isCancelled: true)
        #expect(decision == .stop(.cancelled))
    }

    @Test func `tries count the first attempt`() {
        func decide(tries: Int, attempts: Int) -> RetryDecision {
            NextEndpointPolicy(tries: tries).decide(after: .notSent, isIdempotent: false, attempts: attempts, elapsed: .zero)
        }
        #expect(decide(tries: 1, attempts: 1) == .stop(.triesExhausted))
        #expect(decide(tries: 2, attempts: 1) == .retry)
        #expect(decide(tries: 2, attempts: 2) == .stop(.triesExhausted))
        #expect(decide(tries: 0, attempts: 1_000_000) == .retry)
    }

    @Test func `the time-out counts from the call's beginning, and ends repeats when it is reached`() {
        func decide(_ elapsed: Duration) -> RetryDecision {
            NextEndpointPolicy(timeout: .seconds(2)).decide(after: .notSent, isIdempotent: false, attempts: 1, elapsed: elapsed)
        }
        #expect(decide(.milliseconds(1999)) == .retry)
        #expect(decide(.seconds(2)) == .stop(.timedOut))
    }

    @Test func `a policy that cannot work is refused by name`() throws {
        for (policy, place) in [
            (NextEndpointPolicy(tries: -1), "nextEndpoint.tries"), (NextEndpointPolicy(timeout: .seconds(-1)), "nextEndpoint.timeout"),
        ] {
            var configuration = BalancerConfiguration()
            configuration.nextEndpoint = policy
            let error = try #require(throws: BalancerError.self) { try Balancer(endpoints: ["a:80"], configuration: configuration) }
            #expect(error.code == .invalidConfiguration && error.place == place)
        }
    }
}
