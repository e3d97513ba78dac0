/// Where cache, sessions or results are kept: `memory`, or a server by its URL.
public enum StoreChoice: Sendable {
    case memory
    case redis(url: String)
    /// For the cache only: sessions and results need a store that keeps them.
    case memcached(url: String)

    var isMemory: Bool {
        switch self {
        case .memory: true
        case .redis, .memcached: false
        }
    }

    /// Nil for anything else. What looks like credentials counts as a URL, however wrong: the parser of flags would repeat it in its
    /// complaint, the client does not.
    public init?(_ text: String) {
        if text == "memory" {
            self = .memory
        } else if text.hasPrefix("memcached://") {
            self = .memcached(url: text)
        } else if text.hasPrefix("redis://") || text.hasPrefix("rediss://") || text.contains("@") {
            self = .redis(url: text)
        } else {
            return nil
        }
    }
}
