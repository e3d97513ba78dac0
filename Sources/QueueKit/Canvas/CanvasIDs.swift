/// Ids for what comes of a canvas and brings none: the same ones whenever it is expanded again for the same job, so that what was sent
/// twice, because a worker ended in between, is the same call twice and counts once. A value.
struct CanvasIDs: Hashable, Sendable {
    private let seed: String
    private var count = 0

    /// - Parameter seed: distinct for each canvas of a job; nil makes fresh ids.
    init(seed: String?) {
        self.seed = seed ?? JobID().rawValue
    }

    mutating func next() -> JobID {
        self.count += 1
        // Of a seed as long as an id may be there is no other one.
        return JobID(rawValue: "\(self.seed).\(self.count)") ?? JobID()
    }
}
