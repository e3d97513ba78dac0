/// Where Celery keeps what is known about a chord: keys that begin with that of the header's group.
struct ChordKeys: Hashable, Sendable {
    /// The saved group, which has the form of the results.
    let group: String

    init(group: String, prefix: String) {
        self.group = prefix + "celery-taskset-meta-" + group
    }

    /// The parts that have ended.
    var parts: String { self.group + ".j" }
    /// How many parts were added to the size later.
    var added: String { self.group + ".t" }
    var size: String { self.group + ".s" }
    /// Which parts have been counted.
    var counted: String { self.group + ".d" }
    /// Who sends the body; `done` once that is over.
    var claim: String { self.group + ".c" }
}
