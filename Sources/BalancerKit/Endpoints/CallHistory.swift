/// The endpoints that one call has tried, which it never tries again. Begin each call with an empty one.
///
/// The first attempt needs no memory on the heap.
public struct CallHistory: Sendable {
    struct Entry: Sendable {
        let id: EndpointID
        /// Where the endpoint stood in its set; only a hint once the set was updated.
        let index: Int
    }

    private var first: Entry?
    private var others: [Entry] = []
    /// Whether the call has gone over to the backup endpoints, from which it does not return.
    var usesBackups = false
    /// What belongs together has the same key: strategies such as ``KeyHash`` send it to the same endpoint. Others do not ask for it.
    public var key: [UInt8]?

    public init() {}

    /// How many endpoints were picked for the call so far.
    public var attempts: Int { (self.first == nil ? 0 : 1) + self.others.count }

    mutating func insert(_ id: EndpointID, index: Int) {
        if self.first == nil {
            self.first = Entry(id: id, index: index)
        } else {
            self.others.append(Entry(id: id, index: index))
        }
    }

    func forEach(_ body: (Entry) -> Void) {
        guard let first else { return }
        body(first)
        self.others.forEach(body)
    }
}
