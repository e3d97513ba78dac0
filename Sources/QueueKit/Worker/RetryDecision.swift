/// How a run of a handler ended.
enum JobOutcome: Sendable {
    case returned(JSONValue)
    case threw(any Error)
    /// The soft limit passed, the handler's task was cancelled, and it threw.
    case exceededSoftLimit(Duration, any Error)
    /// The hard limit passed; the handler may be running still.
    case exceededHardLimit(Duration)
    /// The worker shut down, the handler's task was cancelled, and it threw.
    case interrupted
    /// The lease ended: somebody else has, or had, the job.
    case lostLease
    /// The job was called off while it ran; the handler may be running still.
    case revoked
}

/// What becomes of a job after a run. A value made of values: the wait is drawn by the caller.
enum RetryDecision: Hashable, Sendable {
    case succeed(JSONValue)
    case retry(after: Duration, JobFailure)
    case fail(JobFailure)
    /// Drop the message: the job was called off.
    case revoke
    /// Give the message back as it was.
    case release
    /// Say nothing: the message belongs to somebody else.
    case abandon

    /// - Parameters:
    ///   - retries: how often the job has been tried again before this run.
    ///   - fraction: an even draw from 0..<1 for the jitter, which is asked for where there is a wait.
    init(after outcome: JobOutcome, retries: Int, policy: JobRetryPolicy, fraction: @autoclosure () -> Double) {
        switch outcome {
        case .returned(let value):
            self = .succeed(value)
        case .interrupted:
            self = .release
        case .lostLease:
            self = .abandon
        case .revoked:
            self = .revoke
        case .exceededHardLimit(let limit):
            self = .fail(.hardTimeLimit(limit))
        case .exceededSoftLimit(let limit, let error):
            let failure = error is CancellationError ? JobFailure.softTimeLimit(limit) : JobFailure(of: error)
            self.init(failure: failure, delay: nil, retries: retries, policy: policy, fraction: fraction())
        case .threw(let request as RetryRequest):
            let failure = request.reason ?? JobFailure("Retry", "the job asked to be tried again", module: "celery.exceptions")
            self.init(failure: failure, delay: request.delay, retries: retries, policy: policy, fraction: fraction())
        case .threw(let error):
            self.init(failure: JobFailure(of: error), delay: nil, retries: retries, policy: policy, fraction: fraction())
        }
    }

    private init(failure: JobFailure, delay: Duration?, retries: Int, policy: JobRetryPolicy, fraction: Double) {
        if failure.isPermanent || retries >= policy.maximumRetries {
            var failure = failure
            if failure.type == "Retry", failure.module == "celery.exceptions" {
                failure = JobFailure("MaxRetriesExceededError", "no retry is left", module: "celery.exceptions", isPermanent: true)
            }
            self = .fail(failure)
        } else {
            self = .retry(after: max(.zero, delay ?? policy.delay(beforeRetry: retries, fraction: fraction)), failure)
        }
    }
}
