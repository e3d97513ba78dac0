import QueueKit
import ScaleCore
import ScaleTesting
import Testing

@Suite struct RetryTests {
    @Test(arguments: [(0, 1), (1, 2), (2, 4), (9, 512), (10, 600), (5000, 600)])
    func `the longest wait doubles with each retry up to its cap`(_ retry: Int, _ seconds: Int) {
        let policy = JobRetryPolicy(usesJitter: false)
        #expect(policy.delay(beforeRetry: retry, fraction: 0.5) == .seconds(seconds))
    }

    @Test func `with jitter the wait is drawn evenly from zero up`() {
        let policy = JobRetryPolicy(baseDelay: .seconds(8))
        #expect(policy.delay(beforeRetry: 1, fraction: 0) == .zero)
        #expect(policy.delay(beforeRetry: 1, fraction: 0.25) == .seconds(4))
        #expect(policy.delay(beforeRetry: 1, fraction: 0.999) < .seconds(16))
    }

    @Test(arguments: [
        JobRetryPolicy(factor: .nan), JobRetryPolicy(factor: .infinity), JobRetryPolicy(baseDelay: .seconds(-1)),
        JobRetryPolicy(factor: -3), JobRetryPolicy(maximumDelay: .seconds(-5)), JobRetryPolicy(baseDelay: .seconds(Int64.max)),
    ])
    func `a policy of nonsense yields waits between zero and the cap`(_ policy: JobRetryPolicy) {
        for retry in [-1, 0, 1, 63, 64, .max] {
            let delay = policy.delay(beforeRetry: retry, fraction: 0.5)
            #expect(delay >= .zero && delay <= .seconds(600))
        }
    }
}
