/// Who waits in vain when a canvas will never run: the ids of its calls, and the chords that count on them.
///
/// It reads whatever it is given, also what cannot be run, without recursion and up to a number of parts.
package struct Heirs: Hashable, Sendable {
    package private(set) var ids: [JobID] = []
    package private(set) var members: [ChordMember] = []

    package init() {}

    package init(of canvases: [JSONValue], limit: Int = CanvasLimits().maximumSignatures) {
        // Bodies, for which somebody waits most likely, come before headers.
        var open = canvases.reversed().map { (json: $0, isCounted: true) }
        var later: [JSONValue] = []
        var left = limit
        while left > 0 {
            guard let (json, isCounted) = open.popLast() ?? later.popLast().map({ (json: $0, isCounted: false) }) else { return }
            left -= 1
            guard let object = json.objectValue else { continue }
            let options = object["options"]?.objectValue ?? [:]
            let keywords = object["kwargs"]?.objectValue ?? [:]
            if let id = options.callID { self.ids.append(id) }
            switch object["subtask_type"]?.stringValue {
            case "group"?, "chain"?:
                for part in (keywords["tasks"]?.arrayValue ?? []).prefix(left).reversed() { open.append((part, isCounted)) }
            case "chord"?:
                // The members of its own header count for its body, which is told here.
                later += (keywords["header"]?.arrayValue ?? keywords["header"].map { [$0] } ?? []).prefix(left).reversed()
                if let body = keywords["body"] { open.append((body, isCounted)) }
            default:
                if isCounted, let member = ChordMember(options) { self.members.append(member) }
            }
            for part in (options["chain"]?.arrayValue ?? []).prefix(left) { open.append((part, isCounted)) }
        }
    }

    /// Those of a call that is not sent: itself, and what stands behind it in its chain.
    package init(ofCall message: TaskMessage) {
        self.init(behind: message)
        self.ids.insert(message.id, at: 0)
        if let member = ChordMember(message) { self.members.insert(member, at: 0) }
    }

    /// Those of the chain behind a job.
    package init(behind message: TaskMessage) {
        self.init(of: message.embed["chain"]?.arrayValue ?? [])
    }
}
