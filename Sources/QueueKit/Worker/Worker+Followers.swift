internal import Logging
internal import ScaleCore

extension Worker {
    /// Sends what follows a job that has succeeded, before its success is told, as Celery does: who is killed in between sends it again,
    /// under the same ids. `false` when the broker or the results cannot be reached; then the job has not come to its end.
    func sendFollowers(of message: TaskMessage, _ result: JSONValue, _ delivery: Delivery) async -> Bool {
        guard message.hasFollowers else { return true }
        let followers = Followers(
            ofSuccess: message, result, keepsChords: self.queue.chords != nil, at: self.queue.time.utcNow())
        guard let parts = await self.carryOut(followers, delivery) else { return false }
        return await self.returnParts(parts, after: message, delivery)
    }

    /// Tells those who wait for the rest of a chain that it has failed, and calls the errbacks. What cannot be told now is only logged: the
    /// job itself has failed in any case, and must not run again for that.
    func failFollowers(of message: TaskMessage, _ failure: JobFailure, _ delivery: Delivery) async {
        guard message.hasFollowers else { return }
        await self.recordFailure(failure, of: Heirs(behind: message).ids, delivery)
        _ = await self.carryOut(
            Followers(ofFailure: message, keepsChords: self.queue.chords != nil, at: self.queue.time.utcNow()), delivery)
    }

    /// Sends calls in their order; what can never be sent has failed for those who wait for it.
    ///
    /// - Returns: the parts of chords that have failed by that; nil when broker or results cannot be reached.
    func carryOut(_ followers: Followers, _ delivery: Delivery) async -> [ChordPart]? {
        var parts: [ChordPart] = []
        for step in followers.steps {
            switch step {
            case .prepare(let plan):
                guard let chords = self.queue.chords else { break }
                guard await self.attempt("note a chord's size", delivery, { try await chords.prepare(plan) }) else { return nil }
            case .call(let call):
                switch await self.send(call, delivery) {
                case .sent: break
                case .unreachable: return nil
                case .refused(let reason):
                    let loss = Followers.Loss(reason: reason, heirs: Heirs(ofCall: call.message))
                    guard let lost = await self.reportLoss(loss, delivery) else { return nil }
                    parts += lost
                }
            }
        }
        for loss in followers.losses {
            guard let lost = await self.reportLoss(loss, delivery) else { return nil }
            parts += lost
        }
        return parts
    }

    private enum Sending {
        case sent
        case unreachable
        /// It will never be taken.
        case refused(String)
    }

    private func send(_ call: CanvasExpansion.Call, _ delivery: Delivery) async -> Sending {
        let prepared: PreparedJob
        do {
            prepared = try self.queue.prepare(call.message, for: call.queue)
        } catch {
            return .refused(Self.describe(error))
        }
        let refusal = Locked<String?>(nil)
        let isDone = await self.attempt("send what follows a job", delivery) {
            do {
                try await self.queue.broker.publish(prepared.message, to: prepared.queue, notBefore: prepared.notBefore)
            } catch let error as QueueError where error.code != .unavailable && error.code != .closed {
                refusal.withLock { $0 = error.description }
                throw error
            }
        }
        if isDone { self.queue.wasEnqueued(prepared) }
        return isDone ? .sent : refusal.withLock { $0 }.map(Sending.refused) ?? .unreachable
    }

    /// - Returns: the parts of chords that have failed by that; nil when the results cannot be reached.
    func reportLoss(_ loss: Followers.Loss, _ delivery: Delivery) async -> [ChordPart]? {
        var metadata = self.metadata(of: delivery)
        metadata["reason"] = "\(loss.reason)"
        self.logger.warning("what shall follow this job is not sent", metadata: metadata)
        let failure = JobFailure("NotImplementedError", "not sent by the worker before it: \(loss.reason)", isPermanent: true)
        guard await self.recordFailure(failure, of: loss.heirs.ids, delivery) else { return nil }
        return loss.heirs.members.map { ChordPart($0, failed: failure) }
    }

    /// `false` when the store cannot be reached. What it will never take is left.
    @discardableResult func recordFailure(_ failure: JobFailure, of ids: [JobID], _ delivery: Delivery) async -> Bool {
        for id in ids {
            var status = JobStatus(id: id, state: .failure)
            status.failure = failure
            status.finishedAt = self.queue.time.utcNow()
            // A store that cannot be reached for one cannot be for the others, of which there may be many.
            guard await self.record(status, delivery) != .unconfirmed else { return false }
        }
        return true
    }
}
