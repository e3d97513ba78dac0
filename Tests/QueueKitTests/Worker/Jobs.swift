import QueueKit
import ScaleCore
import ScaleTesting

/// Adds; its result is checked.
struct Add: Job {
    static let name = "proj.add"
    typealias Output = Int
    var x: Int
    var y: Int
}

/// Returns nothing; its retries are without jitter, so that tests know the times: 1 s, 2 s, 4 s.
struct Send: Job, Equatable {
    static let name = "proj.send"
    static let defaults = JobDefaults(retry: JobRetryPolicy(usesJitter: false))
    var userID: Int
    enum CodingKeys: String, CodingKey { case userID = "user_id" }
}

/// Has limits: 5 s soft, 8 s hard; is not retried.
struct Limited: Job {
    static let name = "proj.limited"
    static let defaults = JobDefaults(retry: .never, softTimeLimit: .seconds(5), hardTimeLimit: .seconds(8))
    typealias Output = String
}

struct Boom: Error {
    let secret = "hunter2"
}

/// Counts in tests.
final class Tally: Sendable {
    private let state = Locked(0)
    var count: Int { self.state.withLock { $0 } }
    @discardableResult func increment() -> Int {
        self.state.withLock {
            $0 += 1; return $0
        }
    }
    func decrement() { self.state.withLock { $0 -= 1 } }
}
