/// A ``CircuitBreaker`` did not let a call through.
public struct CircuitOpenError: Error, Hashable, Sendable {
    /// The breaker's name.
    public let name: String
    /// When another try makes sense, counted from now; `nil` when the breaker was opened by hand.
    public let retryAfter: Duration?

    public init(name: String, retryAfter: Duration?) {
        self.name = name
        self.retryAfter = retryAfter
    }
}

extension CircuitOpenError: CustomStringConvertible {
    public var description: String {
        let hint = self.retryAfter.map { "; retry after \($0)" } ?? "; it was opened by hand"
        return "the circuit breaker \(self.name) is open\(hint)"
    }
}
