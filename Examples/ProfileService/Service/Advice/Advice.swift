/// What an operator should know about a server before it matters, and change.
struct Advice: Hashable, Sendable, CustomStringConvertible {
    enum Rule: String, CaseIterable, Sendable {
        /// Sessions or results are on a Redis that writes nothing to disk.
        case noPersistence
        /// The same, as far as anybody can tell.
        case persistenceUnknown
        /// The cache is on a Redis that refuses writes when it is full.
        case cacheIsRefused
        /// Sessions or results are on a Redis that drops keys when it is full.
        case keptIsDropped
        /// Both are on one Redis with a limit, where every policy is wrong for one of them.
        case oneLimitForBoth
        /// A life that Memcached cannot end.
        case endlessOnMemcached
        /// A wait that RabbitMQ cannot keep so long.
        case delayIsCut
        /// A run that RabbitMQ gives to somebody else before it ends.
        case runIsInterrupted
        /// A wait that outlives what is known of the job.
        case resultEndsFirst
    }

    let rule: Rule
    /// One line, which says what to change. It holds flags, addresses, names and settings, and no URL.
    let description: String
}
