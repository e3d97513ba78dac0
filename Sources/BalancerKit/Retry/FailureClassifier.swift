/// Reads from an attempt's error what it shows: the place to teach the balancer a client's errors.
///
/// ```swift
/// let classifier = FailureClassifier { error in
///     error is ConnectError ? CallFailure(.notSent) : nil        // nil: as usual
/// }
/// ```
public struct FailureClassifier: Sendable {
    private let read: @Sendable (any Error) -> CallFailure?

    /// A classifier that asks `classify` first. Where it returns nothing, ``standard`` holds.
    public init(_ classify: @escaping @Sendable (_ error: any Error) -> CallFailure?) {
        self.read = classify
    }

    /// Takes a ``CallFailureError`` at its word.
    ///
    /// A `CancellationError` shows nothing of the endpoint and is not repeated. Any other error is a failure of the endpoint that may have seen the
    /// request, and whose response, if any, the caller has not got: it is repeated only if the call is idempotent. What a body throws for
    /// reasons of its own, such as a document that cannot be decoded, is better thrown outside of it.
    public static let standard = FailureClassifier { _ in nil }

    /// What `error` shows of the attempt that threw it.
    public func classify(_ error: any Error) -> CallFailure {
        if let failure = self.read(error) { return failure }
        if let known = error as? any CallFailureError { return known.callFailure }
        if error is CancellationError { return CallFailure(.responseStarted, countsAgainstEndpoint: false) }
        return CallFailure(.sent)
    }
}
