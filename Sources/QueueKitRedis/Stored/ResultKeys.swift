internal import QueueKit

/// Where Celery keeps the results of tasks. The channel on which one is published has the key's name.
struct ResultKeys: Hashable, Sendable {
    let globalPrefix: String
    private let prefix: String

    init(globalPrefix: String?) {
        var prefix = globalPrefix ?? ""
        if let last = prefix.unicodeScalars.last, !":_-.".unicodeScalars.contains(last) { prefix += "_" }
        self.globalPrefix = prefix
        self.prefix = prefix + "celery-task-meta-"
    }

    func key(of id: JobID) -> String { self.prefix + id.rawValue }
}
