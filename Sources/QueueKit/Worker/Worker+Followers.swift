internal import Logging
internal import ScaleCore

extension Worker {
    /// Sends what follows a job that has succeeded, before its success is told, as Celery does: who is killed in between sends it again,
    /// under the same ids. `false` when the broker cannot be reached; then the job has not come to its end.
    func sendFollowers(of message: TaskMessage, _ result: JSONValue, _ delivery: Delivery) async -> Bool {
        guard message.hasFollowers else { return true }
        let followers = Followers(ofSuccess: message, result, at: self.queue.time.utcNow())
        for call in followers.calls {
            switch await self.send(call, delivery) {
            case .sent: break
            case .unreachable: return false
            case .refused(let reason): await self.reportLoss(.init(reason: reason, heirs: call.heirs), delivery)
            }
        }
        for loss in followers.losses { await self.reportLoss(loss, delivery) }
        return true
    }

    /// Tells those who wait for the rest of a chain that it has failed, and calls the errbacks. What cannot be told now is only logged: the
    /// job itself has failed in any case, and must not run again for that.
    func failFollowers(of message: TaskMessage, _ failure: JobFailure, _ delivery: Delivery) async {
        guard message.hasFollowers else { return }
        await self.recordFailure(failure, of: Followers.heirs(of: message), delivery)
        let followers = Followers(ofFailure: message, at: self.queue.time.utcNow())
        for call in followers.calls {
            if case .refused(let reason) = await self.send(call, delivery) {
                await self.reportLoss(.init(reason: reason, heirs: []), delivery)
            }
        }
        for loss in followers.losses { await self.reportLoss(loss, delivery) }
    }

    private enum Sending {
        case sent
        case unreachable
        /// It will never be taken.
        case refused(String)
    }

    private func send(_ call: Followers.Call, _ delivery: Delivery) async -> Sending {
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

    private func reportLoss(_ loss: Followers.Loss, _ delivery: Delivery) async {
        var metadata = self.metadata(of: delivery)
        metadata["reason"] = "\(loss.reason)"
        self.logger.warning("what shall follow this job is not sent", metadata: metadata)
        await self.recordFailure(
            JobFailure("NotImplementedError", "not sent by the worker before it: \(loss.reason)", isPermanent: true), of: loss.heirs,
            delivery)
    }

    private func recordFailure(_ failure: JobFailure, of ids: [JobID], _ delivery: Delivery) async {
        for id in ids {
            var status = JobStatus(id: id, state: .failure)
            status.failure = failure
            status.finishedAt = self.queue.time.utcNow()
            // A store that cannot be reached for one cannot be for the others, of which there may be many.
            guard await self.attempt("record a state", delivery, { try await self.queue.results.record(status) }) else { return }
        }
    }
}
