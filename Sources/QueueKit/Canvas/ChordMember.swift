/// A job's place in the header of a chord.
package struct ChordMember: Hashable, Sendable {
    package var job: JobID
    /// The id of the header, under which its parts are counted.
    package var group: String
    /// Where its result stands among the others; nil is behind them.
    package var index: Int?
    /// The chord's body, which gets the results.
    package var body: JSONValue

    package init(job: JobID, group: String, index: Int?, body: JSONValue) {
        self.job = job
        self.group = group
        self.index = index
        self.body = body
    }

    /// `nil` when the call is no part of a chord, or does not say of which.
    package init?(_ message: TaskMessage) {
        guard let body = message.embed.chordBody, let group = message.group, Self.isUsable(group) else { return nil }
        self.init(job: message.id, group: group, index: message.groupIndex, body: body)
    }

    /// The same of a call that is still to be made, by its options.
    init?(_ options: JSONObject) {
        guard let body = options.chordBody, let job = options.callID, let group = options["group_id"]?.stringValue, Self.isUsable(group)
        else { return nil }
        self.init(job: job, group: group, index: options.groupIndex, body: body)
    }

    private static func isUsable(_ group: String) -> Bool { (1...255).contains(group.utf8.count) }
}

/// How a part of a chord has ended.
package struct ChordPart: Hashable, Sendable {
    package var member: ChordMember
    package var state: JobState
    /// What the job returned, or its failure in the form of results.
    package var result: JSONValue

    package init(_ member: ChordMember, returned result: JSONValue) {
        self.member = member
        self.state = .success
        self.result = result
    }

    package init(_ member: ChordMember, failed failure: JobFailure, state: JobState = .failure) {
        self.member = member
        self.state = state
        self.result = failure.json
    }

    /// `[1, "id", "SUCCESS", 5]`, as Celery keeps it.
    package var json: JSONValue { [1, .string(self.member.job.rawValue), .string(self.state.rawValue), self.result] }
}
