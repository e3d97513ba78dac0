public import Logging
public import Metrics
public import ScaleCore

/// How a ``Cache`` behaves. Right when empty.
public struct CacheConfiguration: Sendable {
    /// How long entries live whose call does not say. `nil`: forever. Default 300 s.
    public var expiry: Duration? = .seconds(300)

    /// How Codable values are encoded. Bytes, strings and integers have codecs of their own. Default JSON.
    public var format: CacheFormat = .json

    /// How long a load may take and still be stored; equally the longest time that other nodes wait for a node that died in the
    /// middle of a load. A load that takes longer is returned to its callers and not stored. Default 30 s.
    public var loadTimeLimit: Duration = .seconds(30)

    /// How long an invalidation may take to be confirmed before it throws (it stays journaled). Default 2 s.
    public var invalidationTimeLimit: Duration = .seconds(2)

    /// How old a load may be that a caller still joins while the store cannot be reached: by so much an invalidation on another node can be
    /// missed then. Shorter: more loads of a slow source during an outage. With a store that answers nothing is ever missed. Default 2 s.
    public var coherenceBound: Duration = .seconds(2)

    /// How often a caller that waits for another node's load looks again: from the first to the second, doubling, with jitter.
    public var pollInterval: ClosedRange<Duration> = .milliseconds(5) ... .milliseconds(50)

    /// Where time comes from.
    public var time: TimeSource = .system

    /// Where nonces, lease tokens and jitter come from.
    public var random: RandomSource = .system

    /// Where store failures are reported. Never a value, never a key's name.
    public var logger = Logger(label: "scalekit.cache")

    /// Where the cache counts; by default the process's metrics system.
    public var metrics: (any MetricsFactory)?

    public init() {}
}

/// An encoding of Codable values.
public enum CacheFormat: Hashable, Sendable {
    case json
    /// A binary property list.
    case propertyList
}
