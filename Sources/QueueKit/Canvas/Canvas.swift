/// Calls that are still to be made and belong together, as they ride along with a message: Celery's canvas.
///
/// A single task is a ``Signature``; `subtask_type` tells the others apart: `{"task": "celery.chain", "kwargs": {"tasks": […]},
/// "subtask_type": "chain"}`, a `group` alike, and `{"task": "celery.chord", "kwargs": {"kwargs": {}, "header": …, "body": …},
/// "subtask_type": "chord"}`, whose header is a group or a list.
///
/// What is read is flat already: a group's members are no groups, a chain's steps are no chains, and neither holds what is empty.
package indirect enum Canvas: Hashable, Sendable {
    case task(Signature)
    case group(Group)
    case chain(Chain)
    case chord(Chord)

    package struct Group: Hashable, Sendable {
        package var members: [Canvas]
        package var options: JSONObject = [:]
    }

    package struct Chain: Hashable, Sendable {
        package var steps: [Canvas]
        package var arguments: [JSONValue] = []
        package var isImmutable = false
        package var options: JSONObject = [:]
    }

    package struct Chord: Hashable, Sendable {
        package var header: Group
        package var body: Canvas
        /// For each member of the header, before and beside its own.
        package var arguments: [JSONValue] = []
        package var keywordArguments: JSONObject = [:]
        package var isImmutable = false
        package var options: JSONObject = [:]
    }
}

/// How much of a canvas is read, and how much may come of it. A message is short, what it asks for need not be.
package struct CanvasLimits: Hashable, Sendable {
    /// How deep groups, chains and chords may stand in each other.
    package var maximumDepth = 64
    /// How many signatures one may have, all levels taken together.
    package var maximumSignatures = 10_000
    /// How many bytes the copies may have of what the calls carry (each member of a header carries the chord's body), and of what is handed
    /// down to them, each for itself.
    package var maximumCarriedBytes = 64 * 1024 * 1024
    /// How deep what a call carries may nest as JSON, so that whoever gets the message, with the usual ``JSONLimits``, can read it.
    package var maximumCarriedDepth = 125

    package init() {}
}

// MARK: - From JSON

extension Canvas {
    package init(_ json: JSONValue, limits: CanvasLimits = .init()) throws(Signature.Unusable) {
        var reader = Reader(limits: limits, left: limits.maximumSignatures, cost: CanvasCost(limits))
        self = try reader.canvas(json, depth: 0)
    }

    private struct Reader {
        let limits: CanvasLimits
        var left: Int
        var cost: CanvasCost

        mutating func canvas(_ json: JSONValue, depth: Int) throws(Signature.Unusable) -> Canvas {
            guard depth < self.limits.maximumDepth else {
                throw Signature.Unusable(reason: "it nests deeper than \(self.limits.maximumDepth)")
            }
            guard self.left > 0 else {
                throw Signature.Unusable(reason: "it has more than \(self.limits.maximumSignatures) parts")
            }
            self.left -= 1
            guard let object = json.objectValue else { throw Signature.Unusable(reason: "a part of it is \(json.kind)") }
            let before = self.left
            let canvas: Canvas
            switch object["subtask_type"]?.stringValue {
            case nil: return .task(try Signature(json))
            case "group"?: canvas = .group(try self.group(object, depth: depth))
            case "chain"?: canvas = .chain(try self.chain(object, depth: depth))
            case "chord"?: canvas = .chord(try self.chord(object, depth: depth))
            case let type?: throw Signature.Unusable(reason: "it is a \(type.prefix(60)), and no single task")
            }
            // Each of the signatures within it may get its own copy.
            let handedDown = [object["options"], object["args"], object["subtask_type"] == "chord" ? Self.keywords(object)["kwargs"] : nil]
            try self.cost.charge(handedDown.compactMap { $0 }, times: before - self.left)
            return canvas
        }

        private mutating func list(_ json: JSONValue?, of what: String, depth: Int) throws(Signature.Unusable) -> [Canvas] {
            guard let list = json?.arrayValue else { throw Signature.Unusable(reason: "the parts of a \(what) are no list") }
            guard list.count <= self.left else {
                throw Signature.Unusable(reason: "it has more than \(self.limits.maximumSignatures) parts")
            }
            var parts: [Canvas] = []
            parts.reserveCapacity(list.count)
            for json in list { parts.append(try self.canvas(json, depth: depth + 1)) }
            return parts
        }

        private mutating func group(_ object: JSONObject, depth: Int) throws(Signature.Unusable) -> Group {
            let tasks = try self.list(Self.keywords(object)["tasks"], of: "group", depth: depth)
            return Group(members: Canvas.flatMembers(tasks), options: Self.options(object))
        }

        private mutating func chain(_ object: JSONObject, depth: Int) throws(Signature.Unusable) -> Chain {
            let tasks = try self.list(Self.keywords(object)["tasks"], of: "chain", depth: depth)
            return Chain(
                steps: Canvas.flatSteps(tasks), arguments: object["args"]?.arrayValue ?? [],
                isImmutable: object["immutable"]?.boolValue ?? false, options: Self.options(object))
        }

        private mutating func chord(_ object: JSONObject, depth: Int) throws(Signature.Unusable) -> Chord {
            let keywords = Self.keywords(object)
            guard let body = keywords["body"], !body.isNull else { throw Signature.Unusable(reason: "a chord has no body") }
            let header = try self.header(keywords["header"], depth: depth)
            let canvas = try self.canvas(body, depth: depth + 1)
            // In the header of another chord it would never end.
            guard !canvas.isEmpty else { throw Signature.Unusable(reason: "a chord's body is empty") }
            return Chord(
                header: header, body: canvas,
                arguments: object["args"]?.arrayValue ?? [], keywordArguments: keywords["kwargs"]?.objectValue ?? [:],
                isImmutable: object["immutable"]?.boolValue ?? false, options: Self.options(object))
        }

        private mutating func header(_ json: JSONValue?, depth: Int) throws(Signature.Unusable) -> Group {
            guard json?.objectValue != nil, let json else {
                return Group(members: Canvas.flatMembers(try self.list(json, of: "chord's header", depth: depth)))
            }
            let canvas = try self.canvas(json, depth: depth + 1)
            if case .group(let group) = canvas { return group }
            return Group(members: Canvas.flatMembers([canvas]))
        }

        private static func keywords(_ object: JSONObject) -> JSONObject { object["kwargs"]?.objectValue ?? [:] }
        private static func options(_ object: JSONObject) -> JSONObject { object["options"]?.objectValue ?? [:] }
    }

    /// A group within a group is a part of it.
    private static func flatMembers(_ canvases: [Canvas]) -> [Canvas] {
        canvases.flatMap { canvas in
            if case .group(let group) = canvas { return group.members }
            return canvas.isEmpty ? [] : [canvas]
        }
    }

    /// A chain within a chain is a part of it, and a group of one member is that member.
    private static func flatSteps(_ canvases: [Canvas]) -> [Canvas] {
        canvases.flatMap { canvas in
            switch canvas {
            case .chain(let chain): return chain.spliced
            case .group(let group) where group.members.count == 1: return group.members
            case .task, .group, .chord: return canvas.isEmpty ? [] : [canvas]
            }
        }
    }

    /// Whether nothing comes of it.
    fileprivate var isEmpty: Bool {
        switch self {
        case .task, .chord: false
        case .group(let group): group.members.isEmpty
        case .chain(let chain): chain.steps.isEmpty
        }
    }
}

// MARK: - To JSON

extension Canvas {
    /// As Celery writes it.
    package var json: JSONValue {
        switch self {
        case .task(let signature): signature.json
        case .group(let group): group.json
        case .chain(let chain):
            Signature.json(
                "celery.chain", chain.arguments, ["tasks": .array(chain.steps.map(\.json))], chain.options, type: "chain",
                isImmutable: chain.isImmutable)
        case .chord(let chord):
            Signature.json(
                "celery.chord", chord.arguments,
                ["kwargs": .object(chord.keywordArguments), "header": chord.header.json, "body": chord.body.json], chord.options,
                type: "chord", isImmutable: chord.isImmutable)
        }
    }
}

extension Canvas.Group {
    fileprivate var json: JSONValue {
        Signature.json("celery.group", [], ["tasks": .array(self.members.map(\.json))], self.options, type: "group", isImmutable: false)
    }
}
