/// A value and how it was come by.
public struct CacheResult<Value: Sendable>: Sendable {
    public enum Outcome: Hashable, Sendable {
        /// The value was in the cache when the call came.
        case hit
        /// Somebody else's load, on this node or another, was waited for.
        case joined
        /// This call's own loader ran.
        case loaded
    }

    public let value: Value
    public let outcome: Outcome

    public init(value: Value, outcome: Outcome) {
        self.value = value
        self.outcome = outcome
    }
}

extension CacheResult: Equatable where Value: Equatable {}
