package import ScaleCore

/// The messages that a canvas begins with, in the order in which they are sent: what Celery's `apply_async` makes of it. A value.
///
/// A chord's header is sent with the chord's body in every member; how many parts it has is told right before the last one is sent, as
/// Celery does it, so that no part can be the last one before all are on their way.
package struct CanvasExpansion: Sendable {
    package enum Step: Hashable, Sendable {
        case call(Call)
        case prepare(ChordPlan)
    }

    /// A message to be sent.
    package struct Call: Hashable, Sendable {
        package var message: TaskMessage
        /// `nil` is the worker's own default.
        package var queue: String?
    }

    package private(set) var steps: [Step] = []
    private let parent: TaskMessage
    private let keepsChords: Bool
    private let now: UTCTime
    private let limits: CanvasLimits
    private var cost: CanvasCost
    private var ids: CanvasIDs

    /// - Parameters:
    ///   - argument: what comes before the arguments of the calls that it begins with, unless they are immutable.
    ///   - rest: of the chain behind it, the next one last.
    ///   - parent: on whose behalf the calls are made.
    ///   - keepsChords: whether there is a place to count a chord's parts.
    ///   - seed: from which ids come that the canvas does not bring; nil: fresh ones.
    package init(
        _ canvas: Canvas, with argument: JSONValue, rest: [JSONValue], after parent: TaskMessage, keepsChords: Bool, at now: UTCTime,
        seed: String? = nil, limits: CanvasLimits = .init()
    ) throws(Signature.Unusable) {
        self.parent = parent
        self.keepsChords = keepsChords
        self.now = now
        self.limits = limits
        self.cost = CanvasCost(limits)
        self.ids = CanvasIDs(seed: seed)
        try self.send(canvas, argument, rest: rest)
    }

    private mutating func send(_ canvas: Canvas, _ argument: JSONValue?, rest: [JSONValue]) throws(Signature.Unusable) {
        let rest = rest.isEmpty ? canvas.options["chain"]?.arrayValue ?? [] : rest
        switch canvas {
        case .task(var signature):
            if signature.id == nil { signature.options["task_id"] = .string(self.ids.next().rawValue) }
            let call = try signature.call(after: self.parent, with: argument, rest: rest, at: self.now)
            self.steps.append(.call(Call(message: call, queue: signature.queue)))
        case .group(let group): try self.send(group, argument, rest: rest)
        case .chain(let chain): try self.send(chain, argument, rest: rest)
        case .chord(let chord): try self.send(chord, argument, rest: rest)
        }
    }

    /// Each member carries the whole rest of the chain, as in Celery. (A client makes a chord of a group that something follows.)
    private mutating func send(_ group: Canvas.Group, _ argument: JSONValue?, rest: [JSONValue]) throws(Signature.Unusable) {
        let id = group.options["task_id"]?.stringValue ?? self.ids.next().rawValue
        let chord = group.options.chordBody
        try self.cost.charge(rest + (chord.map { [$0] } ?? []), times: group.members.count)
        for (index, member) in group.members.enumerated() {
            var member = member
            member.inherit(group.options, except: Canvas.placeNames)
            member.place(in: id, at: index, chord: chord, isForced: false)
            try self.send(member, argument, rest: rest)
        }
    }

    private mutating func send(_ chain: Canvas.Chain, _ argument: JSONValue?, rest: [JSONValue]) throws(Signature.Unusable) {
        // In reverse. What follows a group gets the results of all of its members: both together are a chord.
        var tail: [Canvas] = []
        var depth = 0
        for step in chain.spliced.reversed() {
            if case .group(let group) = step, let next = tail.popLast() {
                depth += 1
                // Groups one behind the other become chords one within the other.
                guard depth < self.limits.maximumDepth else {
                    throw Signature.Unusable(reason: "\(depth) groups in it stand one behind the other")
                }
                tail.append(.chord(Canvas.Chord(header: group, body: next)))
            } else {
                depth = 0
                tail.append(step)
            }
        }
        guard let first = tail.popLast() else { return }
        let behind = tail.map(\.json)
        try self.cost.checkDepth(of: behind)
        try self.send(first, chain.isImmutable ? nil : argument, rest: rest + behind)
    }

    private mutating func send(_ chord: Canvas.Chord, _ argument: JSONValue?, rest: [JSONValue]) throws(Signature.Unusable) {
        guard self.keepsChords else { throw Signature.Unusable(reason: "it is a chord, and this worker's results keep none") }
        let id = chord.header.options["task_id"]?.stringValue ?? chord.options["task_id"]?.stringValue ?? self.ids.next().rawValue
        let body = self.body(of: chord, header: id, rest: rest)
        guard !chord.header.members.isEmpty else { return try self.send(body, [], rest: []) }
        let json = body.json
        try self.cost.checkDepth(of: [json])
        try self.cost.charge([json], times: chord.header.members.count)
        var members = chord.header.members
        for index in members.indices {
            members[index].inherit(chord.header.options, except: Canvas.placeNames.union(Canvas.linkNames))
            members[index].inherit(chord.options, except: Canvas.placeNames.union(Canvas.linkNames))
            members[index].bind(chord.arguments, chord.keywordArguments)
            members[index].place(in: id, at: index, chord: json, isForced: true)
        }
        let plan = ChordPlan(group: id, members: &members, ids: &self.ids)
        for (index, member) in members.enumerated() {
            if index == members.count - 1 { self.steps.append(.prepare(plan)) }
            try self.send(member, chord.isImmutable ? nil : argument, rest: [])
        }
    }

    /// The body as every member of the header carries it.
    private mutating func body(of chord: Canvas.Chord, header id: String, rest: [JSONValue]) -> Canvas {
        var body = chord.body
        // A time is the header's to wait for.
        body.inherit(chord.options, except: Canvas.placeNames.union(Canvas.linkNames).union(["countdown", "eta"]))
        if !rest.isEmpty { body.options["chain"] = .array(rest) }
        body.options["root_id"] = .string((self.parent.rootID ?? self.parent.id).rawValue)
        body.link(chord.options["link"], as: "link")
        body.link(chord.options["link_error"], as: "link_error")
        body.identify(by: chord.options["task_id"]?.stringValue ?? self.ids.next().rawValue)
        if let outer = chord.options.chordBody, let group = chord.options["group_id"]?.stringValue {
            body.place(in: group, at: chord.options.groupIndex, chord: outer, isForced: true)
        }
        body.place(in: id, at: nil, chord: nil, isForced: false)
        return body
    }
}
