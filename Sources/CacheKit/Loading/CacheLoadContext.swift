import ScaleCore

/// What a loader can tell the cache about the value that it loads.
public final class CacheLoadContext: Sendable {
    private let added = Locked<Set<ExactName>>([])

    init() {}

    /// Tags the entry with a name that only the loader knows, such as the team of the user that it read.
    ///
    /// If any tag of the namespace is invalidated while the loader runs, the value is returned and not stored: it cannot be known
    /// whether it was read before or after.
    public func addTag(_ name: String) {
        self.added.withLock { _ = $0.insert(ExactName(name)) }
    }

    var addedTags: [String] {
        self.added.withLock { $0.sorted().map(\.text) }
    }
}
