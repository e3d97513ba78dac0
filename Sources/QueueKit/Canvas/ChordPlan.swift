internal import ScaleCore

/// What must be known about a chord before its last part is sent.
package struct ChordPlan: Hashable, Sendable {
    /// The id of the header.
    package var group: String
    /// How many parts will be reported.
    package var size: Int
    /// The results of the header as a tree, in Celery's notation (`GroupResult.as_tuple`), when some of them form groups of their own. Nil
    /// when they are a list.
    package var shape: JSONValue?

    package init(group: String, size: Int, shape: JSONValue? = nil) {
        self.group = group
        self.size = size
        self.shape = shape
    }

    /// The plan for these members. Those get an id whose result could not be found again without one.
    init(group: String, members: inout [Canvas], ids: inout CanvasIDs) {
        self.group = group
        self.size = members.reduce(0) { $0 + $1.partCount }
        if members.contains(where: \.endsInGroup) {
            var results: [JSONValue] = []
            for index in members.indices { results.append(members[index].resultTuple(&ids)) }
            self.shape = [[.string(group), nil], .array(results)]
        }
    }
}

extension Canvas {
    /// How many parts of a chord it reports when it stands in the header.
    var partCount: Int {
        switch self {
        case .task: 1
        case .group(let group): group.members.reduce(0) { $0 + $1.partCount }
        case .chain(let chain): chain.steps.last?.partCount ?? 0
        case .chord(let chord): chord.body.partCount
        }
    }

    fileprivate var endsInGroup: Bool {
        switch self {
        case .task: false
        case .group: true
        case .chain(let chain): chain.steps.last?.endsInGroup ?? false
        case .chord(let chord): chord.body.endsInGroup
        }
    }

    fileprivate mutating func resultTuple(_ ids: inout CanvasIDs) -> JSONValue {
        switch self {
        case .task:
            self.identify(by: ids.next().rawValue)
            return [[self.options["task_id"] ?? nil, nil], nil]
        case .group(var group):
            var results: [JSONValue] = []
            for index in group.members.indices { results.append(group.members[index].resultTuple(&ids)) }
            self = .group(group)
            self.identify(by: ids.next().rawValue)
            return [[self.options["task_id"] ?? nil, nil], .array(results)]
        case .chain(var chain):
            guard let last = chain.steps.indices.last else { return nil }
            if let id = chain.options["task_id"]?.stringValue { chain.steps[last].identify(by: id) }
            let result = chain.steps[last].resultTuple(&ids)
            self = .chain(chain)
            return result
        case .chord(var chord):
            let result = chord.body.resultTuple(&ids)
            self = .chord(chord)
            return result
        }
    }
}
