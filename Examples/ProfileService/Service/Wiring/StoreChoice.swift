/// Where cache or sessions are kept: `memory` or a Redis URL.
public enum StoreChoice: Sendable {
    case memory
    case redis(url: String)

    var isMemory: Bool {
        switch self {
        case .memory: true
        case .redis: false
        }
    }

    /// Nil for anything else. What looks like credentials counts as a URL, however wrong: the parser of flags would repeat it in its
    /// complaint, the client does not.
    public init?(_ text: String) {
        if text == "memory" {
            self = .memory
        } else if text.hasPrefix("redis://") || text.hasPrefix("rediss://") || text.contains("@") {
            self = .redis(url: text)
        } else {
            return nil
        }
    }
}

/// Where jobs wait: `memory` or `sqlite:FILE`.
public enum QueueChoice: Sendable {
    case memory
    case sqlite(path: String)

    var isMemory: Bool {
        switch self {
        case .memory: true
        case .sqlite: false
        }
    }

    /// Nil for anything else.
    public init?(_ text: String) {
        if text == "memory" {
            self = .memory
        } else if text.hasPrefix("sqlite:"), text.count > "sqlite:".count {
            self = .sqlite(path: String(text.dropFirst("sqlite:".count)))
        } else {
            return nil
        }
    }
}
