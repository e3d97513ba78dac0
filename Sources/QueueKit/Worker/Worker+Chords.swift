internal import Logging
internal import ScaleCore

extension Worker {
    /// The parts of chords that end with a job that has failed: its own, and that of the chain behind it.
    static func parts(of message: TaskMessage, failed failure: JobFailure, state: JobState = .failure) -> [ChordPart] {
        guard message.hasFollowers else { return [] }
        let behind = state == .revoked ? [] : Heirs(behind: message).members
        return ((ChordMember(message).map { [$0] } ?? []) + behind).map { ChordPart($0, failed: failure, state: state) }
    }

    /// Tells chords how parts of them have ended. Who is told the last part sends the chord's body, or tells that it has failed, which may
    /// be the end of a part of another chord.
    ///
    /// - Parameter message: the job by which they have ended.
    /// - Returns: `false` when store or broker cannot be reached. Then the message must come back, to be told again: that counts once.
    func returnParts(_ parts: [ChordPart], after message: TaskMessage, _ delivery: Delivery) async -> Bool {
        var open = parts
        // Each one that is added stands within the JSON of the one before it.
        while let part = open.popLast() {
            guard let more = await self.returnPart(part, after: message, delivery) else { return false }
            open += more
        }
        return true
    }

    /// - Returns: the parts of other chords that have failed by that; nil when it must be told again.
    private func returnPart(_ part: ChordPart, after message: TaskMessage, _ delivery: Delivery) async -> [ChordPart]? {
        guard let chords = self.queue.chords else {
            let reason = "it is the body of a chord, and this worker's results keep none"
            return await self.reportLoss(.init(reason: reason, heirs: Heirs(of: [part.member.body])), delivery)
        }
        let claim = RandomSource.system.uuid()
        guard let report = await self.report(part, claim, to: chords, delivery) else { return nil }
        let after: [ChordPart]?
        switch ChordDecision(after: report) {
        case .leave:
            return []
        case .askAgain:
            self.logger.warning("the body of this job's chord is being sent by another worker", metadata: self.metadata(of: delivery))
            return nil
        case .send(let results):
            after = await self.sendBody(part.member, results, claim, chords, after: message, delivery)
        case .fail(let failure, let cause):
            after = await self.failBody(part.member.body, failure, cause, after: message, delivery)
        }
        let group = part.member.group
        guard let after else {
            await self.attempt("give up the claim to a chord", delivery) { try await chords.giveUp(claim, of: group) }
            return nil
        }
        // What is not noted now is sent once more, if a part comes back after the claim's time.
        await self.attempt("note that a chord is over", delivery) { try await chords.finish(group, claim: claim) }
        return after
    }

    /// A result that the store will never take makes a failed part.
    private func report(
        _ part: ChordPart, _ claim: String, to chords: any ChordKeepingStore, _ delivery: Delivery
    ) async -> ChordReport? {
        let report = Locked<ChordReport?>(nil)
        let wasRefused = Locked(false)
        let isDone = await self.attempt("report a chord's part", delivery) {
            do {
                let answer = try await chords.report(part, claim: claim)
                report.withLock { $0 = answer }
            } catch {
                wasRefused.withLock { $0 = Self.isRefusal(error) }
                throw error
            }
        }
        if isDone { return report.withLock { $0 } }
        guard wasRefused.withLock({ $0 }), part.state == .success else { return nil }
        let failure = JobFailure("ValueError", "the result cannot be kept for the chord", isPermanent: true)
        return await self.report(ChordPart(part.member, failed: failure), claim, to: chords, delivery)
    }

    private func sendBody(
        _ member: ChordMember, _ results: JSONValue, _ claim: String, _ chords: any ChordKeepingStore, after message: TaskMessage,
        _ delivery: Delivery
    ) async -> [ChordPart]? {
        let isOurs = Locked(false)
        let isDone = await self.attempt("renew the claim to a chord", delivery) {
            let answer = try await chords.renew(claim, of: member.group)
            isOurs.withLock { $0 = answer }
        }
        guard isDone, isOurs.withLock({ $0 }) else { return nil }
        let followers = Followers(
            ofChord: member.body, results, after: message, keepsChords: true, at: self.queue.time.utcNow())
        return await self.carryOut(followers, delivery)
    }

    private func failBody(
        _ body: JSONValue, _ failure: JobFailure, _ cause: JobFailure, after message: TaskMessage, _ delivery: Delivery
    ) async -> [ChordPart]? {
        let heirs = Heirs(of: [body])
        // As in Celery, the members of a group fail by what has failed, and all others by the chord.
        let isGroup = body.objectValue?["subtask_type"] == "group"
        guard await self.recordFailure(isGroup ? cause : failure, of: heirs.ids, delivery) else { return nil }
        let followers = Followers(
            ofFailedChord: body, after: message, keepsChords: true, at: self.queue.time.utcNow())
        // As with a job's own errbacks, what cannot be sent now is only logged.
        _ = await self.carryOut(followers, delivery)
        return heirs.members.map { ChordPart($0, failed: failure) }
    }
}
