extension CircuitBreaker {
    /// When a breaker opens and how it closes again.
    ///
    /// Any values are allowed; those that make no sense are read as the nearest that do (at least one call, a ratio above 0 and up to 1).
    public struct Configuration: Hashable, Sendable {
        /// What the failure ratio is taken of.
        public enum Window: Hashable, Sendable {
            /// The last calls, up to this number. Uses one bit per call.
            case calls(Int)
            /// The calls of the last so-much time, to a tenth of it.
            case time(Duration)
        }

        /// The last 100 calls by default. A short window opens on a hiccup; a long one remembers a cured illness.
        public var window: Window = .calls(100)
        /// With fewer calls than this in the window no judgement is made. 20 by default.
        public var minimumCalls = 20
        /// The share of failures at which the breaker opens, above 0 and up to 1. 0.5 by default.
        public var failureRatio = 0.5
        /// How long it stays open before it lets calls try again. 30 s by default.
        public var openDuration: Duration = .seconds(30)
        /// How many calls are let through to find out whether the service is back; they are judged by ``failureRatio``. 5 by default.
        public var probes = 5
        /// How long the answers of the probes are waited for before the breaker opens again; `nil`, the default, means ``openDuration``.
        public var probeDuration: Duration?

        public init() {}
    }
}
