internal import ScaleCore

/// What follows a job that has come to its end, by what rides along with its message: Celery's `link`, `link_error` and `chain`, and the
/// body of a chord. A value; the worker sends it.
struct Followers: Sendable {
    typealias Step = CanvasExpansion.Step

    /// What cannot be sent, and who waits for it in vain.
    struct Loss: Sendable {
        var reason: String
        var heirs: Heirs
    }

    /// In the order in which they are to be taken.
    private(set) var steps: [Step] = []
    private(set) var losses: [Loss] = []
    private let keepsChords: Bool
    private let now: UTCTime
    /// What the ids of calls begin with that bring none, behind the job's own.
    private let kind: String
    private var canvases = 0

    /// Those of a job that has succeeded: its callbacks, each with the result, and the next part of the chain that it stands in.
    ///
    /// - Parameter keepsChords: whether the results count the parts of chords.
    init(ofSuccess message: TaskMessage, _ result: JSONValue, keepsChords: Bool, at now: UTCTime) {
        self.init("s", keepsChords: keepsChords, at: now)
        for callback in Self.list(message.embed["callbacks"]) { self.add(callback, after: message, result) }
        var chain = Self.list(message.embed["chain"])
        // They stand in reverse.
        if let next = chain.popLast() { self.add(next, after: message, result, rest: chain) }
        if let chord = message.embed.chordBody, ChordMember(message) == nil {
            self.losses.append(Loss(reason: "its job does not say of which chord it is a part", heirs: Heirs(of: [chord])))
        }
    }

    /// Those of a job that has failed for good. A task of another language gets the failed job's id alone.
    init(ofFailure message: TaskMessage, keepsChords: Bool, at now: UTCTime) {
        self.init("f", keepsChords: keepsChords, at: now)
        for errback in Self.list(message.embed["errbacks"]) {
            self.add(errback, after: message, .string(message.id.rawValue), heirs: Heirs())
        }
    }

    /// Those of a chord whose parts have succeeded, the last of them by `message`: its body.
    init(ofChord body: JSONValue, _ results: JSONValue, after message: TaskMessage, keepsChords: Bool, at now: UTCTime) {
        self.init("b", keepsChords: keepsChords, at: now)
        self.add(body, after: message, results)
    }

    /// Those of a chord that has failed: the errbacks of its body, or of each member of a body that is a group.
    init(ofFailedChord body: JSONValue, after message: TaskMessage, keepsChords: Bool, at now: UTCTime) {
        self.init("e", keepsChords: keepsChords, at: now)
        let object = body.objectValue ?? [:]
        let common = Self.errbacks(object)
        guard object["subtask_type"] == "group" else {
            self.addErrbacks(common, of: object, after: message)
            return
        }
        let members = Self.list(object["kwargs"]?.objectValue?["tasks"]).prefix(CanvasLimits().maximumSignatures)
        var left = CanvasLimits().maximumSignatures
        for member in members {
            let member = member.objectValue ?? [:]
            let own = Self.errbacks(member)
            let known = Set(own)
            let errbacks = own + common.filter { !known.contains($0) }
            self.addErrbacks(Array(errbacks.prefix(left)), of: member, after: message)
            // Many for many are more than a short message may ask for.
            guard errbacks.count <= left else {
                self.losses.append(Loss(reason: "its members have more than \(CanvasLimits().maximumSignatures) errbacks", heirs: Heirs()))
                return
            }
            left -= errbacks.count
        }
    }

    private init(_ kind: String, keepsChords: Bool, at now: UTCTime) {
        self.kind = kind
        self.keepsChords = keepsChords
        self.now = now
    }

    private mutating func addErrbacks(_ errbacks: [JSONValue], of signature: JSONObject, after message: TaskMessage) {
        guard let id = signature["options"]?.objectValue?.callID else { return }
        var failed = TaskMessage(task: message.task, id: id)
        failed.rootID = message.rootID ?? message.id
        for errback in errbacks { self.add(errback, after: failed, .string(id.rawValue), heirs: Heirs()) }
    }

    private static func errbacks(_ signature: JSONObject) -> [JSONValue] {
        self.list(Signature.list(signature["options"]?.objectValue?["link_error"]))
    }

    private mutating func add(
        _ json: JSONValue, after message: TaskMessage, _ argument: JSONValue, rest: [JSONValue] = [], heirs: Heirs? = nil
    ) {
        self.canvases += 1
        do throws(Signature.Unusable) {
            let expansion = try CanvasExpansion(
                try Canvas(json), with: argument, rest: rest, after: message, keepsChords: self.keepsChords, at: self.now,
                seed: "\(message.id).\(self.kind)\(self.canvases)")
            self.steps += expansion.steps
        } catch {
            self.losses.append(Loss(reason: error.reason, heirs: heirs ?? Heirs(of: rest + [json])))
        }
    }

    private static func list(_ value: JSONValue?) -> [JSONValue] { value?.arrayValue ?? [] }
}
