internal import ScaleCore

/// What follows a job that has come to its end, by what rides along with its message: Celery's `link`, `link_error` and `chain`. A value;
/// the worker sends it.
///
/// Chords, and groups within a chain, need a count that all workers share, and are not sent from here. Who waits for them is told so.
struct Followers: Sendable {
    /// A call to be sent.
    struct Call: Sendable {
        var message: TaskMessage
        /// `nil` is the worker's own default.
        var queue: String?
        /// The ids that are waited for in vain when it cannot be sent.
        var heirs: [JobID]
    }

    /// What cannot be sent, and for which ids nobody will answer.
    struct Loss: Sendable {
        var reason: String
        var heirs: [JobID]
    }

    private(set) var calls: [Call] = []
    private(set) var losses: [Loss] = []

    /// Those of a job that has succeeded: its callbacks, each with the result, and the next part of the chain that it stands in.
    init(ofSuccess message: TaskMessage, _ result: JSONValue, at now: UTCTime) {
        for callback in Self.list(message.embed["callbacks"]) {
            self.add(callback, after: message, result, rest: [], heirs: Signature.id(of: callback).map { [$0] } ?? [], at: now)
        }
        var chain = Self.list(message.embed["chain"])
        // They stand in reverse.
        if let next = chain.popLast() {
            self.add(next, after: message, result, rest: chain, heirs: Self.heirs(of: message), at: now)
        }
        if let chord = message.embed["chord"], !chord.isNull {
            self.losses.append(Loss(reason: "it is a part of a chord", heirs: Signature.id(of: chord).map { [$0] } ?? []))
        }
    }

    /// Those of a job that has failed for good. A task of another language gets the failed job's id alone.
    init(ofFailure message: TaskMessage, at now: UTCTime) {
        for errback in Self.list(message.embed["errbacks"]) {
            self.add(errback, after: message, .string(message.id.rawValue), rest: [], heirs: [], at: now)
        }
    }

    /// The parts of the chain behind a job, which end with it when it fails
    static func heirs(of message: TaskMessage) -> [JobID] { Self.list(message.embed["chain"]).compactMap(Signature.id(of:)) }

    private mutating func add(
        _ signature: JSONValue, after message: TaskMessage, _ argument: JSONValue, rest: [JSONValue], heirs: [JobID], at now: UTCTime
    ) {
        do throws(Signature.Unusable) {
            let signature = try Signature(signature)
            let call = try signature.call(after: message, with: argument, rest: rest, at: now)
            self.calls.append(Call(message: call, queue: signature.queue, heirs: heirs))
        } catch {
            self.losses.append(Loss(reason: error.reason, heirs: heirs))
        }
    }

    private static func list(_ value: JSONValue?) -> [JSONValue] { value?.arrayValue ?? [] }
}
