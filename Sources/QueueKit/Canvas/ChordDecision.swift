/// What a store says about a chord after one of its parts was reported.
package enum ChordReport: Hashable, Sendable {
    /// So many parts of so many have ended, and the body is not this worker's to send. The size is nil while the header is being sent.
    case counted(ended: Int, size: Int?)
    /// The body was sent, or has failed.
    case over
    /// All parts have ended, and it is for this worker, and for a while for no other, to send the body. The parts stand in their order,
    /// as ``ChordPart/json`` has them.
    case complete(parts: [JSONValue], shape: JSONValue?)
    /// The parts cannot be read, and never will be.
    case unreadable(reason: String)
}

/// What becomes of a chord when one of its parts has ended: the rules of Celery's `on_chord_part_return`. A value made of values.
package enum ChordDecision: Hashable, Sendable {
    /// Others will see to it.
    case leave
    /// Somebody else is about to send the body. Whether that worked is known later.
    case askAgain
    /// Send the body with this argument.
    case send(JSONValue)
    /// The body shall never run. The cause is the failure of one of the parts.
    case fail(JobFailure, cause: JobFailure)

    package init(after report: ChordReport) {
        switch report {
        case .over:
            self = .leave
        case .counted(let ended, let size):
            // Who makes the number full gets the right to send. That a full one is counted again is a part that was run twice.
            self = ended == size ? .askAgain : .leave
        case .unreadable(let reason):
            self = Self.failure("Join error: \(reason)")
        case .complete(let parts, let shape):
            self.init(parts, shape)
        }
    }

    private init(_ parts: [JSONValue], _ shape: JSONValue?) {
        var results: [JSONValue] = []
        var byJob: [JobID: JSONValue] = [:]
        for part in parts {
            guard let fields = part.arrayValue, fields.count == 4, let id = fields[1].stringValue.flatMap(JobID.init(rawValue:)),
                let state = fields[2].stringValue
            else {
                self = Self.failure("Join error: one of the parts cannot be read")
                return
            }
            if state == JobState.failure.rawValue || state == JobState.revoked.rawValue {
                let text = "Dependency \(id) raised \(PythonText.exception(fields[3]))"
                self = Self.failure(text, cause: JobFailure(json: fields[3]))
                return
            }
            results.append(fields[3])
            byJob[id] = fields[3]
        }
        guard let shape else {
            self = .send(.array(results))
            return
        }
        var left = CanvasLimits().maximumSignatures
        if let shaped = Self.results(shape, byJob, depth: 0, left: &left) {
            self = .send(shaped)
        } else {
            self = Self.failure("Join error: the header's results are not those of its parts")
        }
    }

    /// The results in the form of their tree: `[[id, parent], null]` is one, `[[id, parent], […]]` are those of a group.
    private static func results(_ tree: JSONValue, _ known: [JobID: JSONValue], depth: Int, left: inout Int) -> JSONValue? {
        guard depth < CanvasLimits().maximumDepth, left > 0, let pair = tree.arrayValue, pair.count == 2 else { return nil }
        left -= 1
        if let children = pair[1].arrayValue {
            var results: [JSONValue] = []
            for child in children {
                guard let result = self.results(child, known, depth: depth + 1, left: &left) else { return nil }
                results.append(result)
            }
            return .array(results)
        }
        return pair[0].arrayValue?.first?.stringValue.flatMap(JobID.init(rawValue:)).flatMap { known[$0] }
    }

    private static func failure(_ message: String, cause: JobFailure? = nil) -> ChordDecision {
        let failure = JobFailure("ChordError", message, module: "celery.exceptions", isPermanent: true)
        return .fail(failure, cause: cause ?? failure)
    }
}

extension PythonText {
    /// An exception in the form of results, as Python would show it: `ValueError('no')`.
    fileprivate static func exception(_ json: JSONValue) -> String {
        guard let object = json.objectValue, let type = object["exc_type"]?.stringValue else { return self.repr(json, limit: 200) }
        let arguments: [JSONValue] =
            switch object["exc_message"] {
            case nil, .null?: []
            case .array(let parts)?: parts
            case let one?: [one]
            }
        return "\(type.prefix(200))(\(arguments.prefix(8).map { self.repr($0, limit: 500) }.joined(separator: ", ")))"
    }
}
