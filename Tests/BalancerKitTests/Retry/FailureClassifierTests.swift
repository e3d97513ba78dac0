import BalancerKit
import BalancerKitTesting
import Testing

struct FailureClassifierTests {
    private struct OtherError: Error {}

    @Test func `an error that knows what it shows is taken at its word`() {
        #expect(FailureClassifier.standard.classify(VirtualCallError.refused) == CallFailure(.notSent))
        #expect(FailureClassifier.standard.classify(VirtualCallError.connectionLost) == CallFailure(.sent))
        #expect(FailureClassifier.standard.classify(VirtualCallError.responseCut) == CallFailure(.responseStarted))
    }

    @Test func `an unknown error counts as sent and as the endpoint's failure`() {
        #expect(FailureClassifier.standard.classify(OtherError()) == CallFailure(.sent, countsAgainstEndpoint: true))
    }

    @Test func `a cancellation is neither repeated nor the endpoint's failure`() {
        let failure = FailureClassifier.standard.classify(CancellationError())
        #expect(!failure.countsAgainstEndpoint)
        #expect(NextEndpointPolicy().decide(after: failure.progress, isIdempotent: true, attempts: 1, elapsed: .zero) == .stop(.unsafe))
    }

    @Test func `a classifier of one's own comes first, and leaves the rest to the standard`() {
        let classifier = FailureClassifier { $0 is OtherError ? CallFailure(.notSent, countsAgainstEndpoint: false) : nil }
        #expect(classifier.classify(OtherError()) == CallFailure(.notSent, countsAgainstEndpoint: false))
        #expect(classifier.classify(VirtualCallError.responseCut) == CallFailure(.responseStarted))
    }
}
