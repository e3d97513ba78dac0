/// Options of a canvas: those that say how a call is made are handed down to the calls; those that say where a call stands are not.
extension Canvas {
    package var options: JSONObject {
        get {
            switch self {
            case .task(let signature): signature.options
            case .group(let group): group.options
            case .chain(let chain): chain.options
            case .chord(let chord): chord.options
            }
        }
        set {
            switch self {
            case .task(var signature):
                signature.options = newValue
                self = .task(signature)
            case .group(var group):
                group.options = newValue
                self = .group(group)
            case .chain(var chain):
                chain.options = newValue
                self = .chain(chain)
            case .chord(var chord):
                chord.options = newValue
                self = .chord(chord)
            }
        }
    }

    /// Where a call stands, and who its relatives are.
    static let placeNames: Set = [
        "task_id", "group_id", "group_index", "chord", "chain", "root_id", "parent_id", "add_to_parent", "use_link",
    ]
    static let linkNames: Set = ["link", "link_error"]

    /// How the calls are made: what those above say goes before what these say.
    mutating func inherit(_ options: JSONObject, except names: Set<String>) {
        for (name, value) in options where !value.isNull && !names.contains(name) { self.options[name] = value }
    }

    /// The id by which its end is known, where it has none yet. Of a chain it is the last step's, of a chord the body's.
    mutating func identify(by id: String) {
        switch self {
        case .task, .group:
            if self.options["task_id"]?.stringValue == nil { self.options["task_id"] = .string(id) }
        case .chain(var chain):
            if var last = chain.steps.popLast() {
                last.identify(by: chain.options["task_id"]?.stringValue ?? id)
                chain.options["task_id"] = last.options["task_id"]
                chain.steps.append(last)
            }
            self = .chain(chain)
        case .chord(var chord):
            chord.body.identify(by: id)
            self = .chord(chord)
        }
    }

    /// Puts that call into a group in whose end this canvas ends: the last step of a chain, the body of a chord.
    ///
    /// - Parameters:
    ///   - chord: the body that gets the group's results; nil changes nothing.
    ///   - isForced: whether it leaves a group that it stands in already.
    mutating func place(in group: String, at index: Int?, chord: JSONValue?, isForced: Bool) {
        switch self {
        case .task(var signature):
            if isForced || signature.options["group_id"]?.stringValue == nil { signature.options["group_id"] = .string(group) }
            if let index { signature.options["group_index"] = .integer(Int64(index)) }
            if let chord { signature.options["chord"] = chord }
            self = .task(signature)
        case .group(var members):
            for position in members.members.indices {
                members.members[position].place(in: group, at: index == nil ? nil : position, chord: chord, isForced: isForced)
            }
            self = .group(members)
        case .chain(var chain):
            if let last = chain.steps.indices.last { chain.steps[last].place(in: group, at: index, chord: chord, isForced: isForced) }
            self = .chain(chain)
        case .chord(var inner):
            inner.body.place(in: group, at: index, chord: chord, isForced: isForced)
            self = .chord(inner)
        }
    }

    /// Puts arguments before and beside those of the calls with which it begins, unless those are immutable.
    mutating func bind(_ arguments: [JSONValue], _ keywords: JSONObject) {
        guard !arguments.isEmpty || !keywords.isEmpty else { return }
        switch self {
        case .task(var signature):
            guard !signature.isImmutable else { return }
            signature.arguments = arguments + signature.arguments
            for (name, value) in keywords { signature.keywordArguments[name] = value }
            self = .task(signature)
        case .group(var group):
            group.bind(arguments, keywords)
            self = .group(group)
        case .chain(var chain):
            guard !chain.isImmutable else { return }
            if let first = chain.steps.indices.first { chain.steps[first].bind(arguments, keywords) }
            self = .chain(chain)
        case .chord(var chord):
            guard !chord.isImmutable else { return }
            chord.header.bind(arguments, keywords)
            self = .chord(chord)
        }
    }

    /// Adds what is called after its success, or after a failure: one signature, or a list of them.
    mutating func link(_ signatures: JSONValue?, as name: String) {
        guard let added = Signature.list(signatures).arrayValue, !added.isEmpty else { return }
        switch self {
        case .task, .chain:
            self.options[name] = .array((Signature.list(self.options[name]).arrayValue ?? []) + added)
        case .group(var group):
            // A success of the whole is known to nobody: Celery takes the first member's for it.
            let members = name == "link" ? group.members.indices.prefix(1) : group.members.indices[...]
            for position in members { group.members[position].link(.array(added), as: name) }
            self = .group(group)
        case .chord(var chord):
            chord.body.link(.array(added), as: name)
            self = .chord(chord)
        }
    }
}

extension Canvas.Group {
    fileprivate mutating func bind(_ arguments: [JSONValue], _ keywords: JSONObject) {
        for position in self.members.indices { self.members[position].bind(arguments, keywords) }
    }
}

extension Canvas.Chain {
    /// Its steps, each with what the chain's own options say about it.
    var spliced: [Canvas] {
        var steps = self.steps
        guard let first = steps.indices.first, let last = steps.indices.last else { return [] }
        for position in steps.indices { steps[position].link(self.options["link_error"], as: "link_error") }
        steps[last].link(self.options["link"], as: "link")
        if let id = self.options["task_id"]?.stringValue { steps[last].identify(by: id) }
        if let group = self.options["group_id"]?.stringValue {
            let chord = self.options.chordBody
            steps[last].place(in: group, at: self.options.groupIndex, chord: chord, isForced: chord != nil)
        }
        steps[first].inherit(self.options, except: Canvas.placeNames.union(Canvas.linkNames))
        steps[first].bind(self.arguments, [:])
        return steps
    }
}

/// What a call's options say of its place.
extension JSONObject {
    /// The id by which its end is known.
    var callID: JobID? { self["task_id"]?.stringValue.flatMap(JobID.init(rawValue:)) }
    /// The body of the chord of which it is a part.
    var chordBody: JSONValue? { self["chord"].flatMap { $0.isNull ? nil : $0 } }
    /// Where its result stands among those of its group.
    var groupIndex: Int? { self["group_index"]?.integerValue.flatMap { Int(exactly: $0) } }
}
