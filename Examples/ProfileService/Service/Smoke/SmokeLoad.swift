import ScaleCore

/// Readers and writers who ask without pause, and what they were answered.
final class SmokeLoad: Sendable {
    struct Outcome: Sendable {
        /// GETs with an answer, also one of an error.
        var reads = 0
        /// What GETs without a good answer met.
        var failedReads: [String] = []
        /// Requests whose answer began and did not come to its end.
        var cutOff = 0
        /// The status that the POST for each user was answered with.
        var writes: [Int: Int] = [:]
        var seconds = 0.0
    }

    private struct State {
        var outcome = Outcome()
        var nextRecipient: Int
        var isOver = false
        var waiting: (count: Int, announcement: Announcement<Void>)?
    }

    private let client: SmokeClient
    private let cookie: String
    private let state: Locked<State>
    /// POSTs are sent at most so often, or there would soon be no user left.
    private static let pauseOfWriters = Duration.milliseconds(20)
    private static let lastRecipient = 1000

    /// - Parameter firstRecipient: the first user whose notification is asked for; each user's is asked for once.
    init(client: SmokeClient, cookie: String, firstRecipient: Int) {
        self.client = client
        self.cookie = cookie
        self.state = Locked(State(nextRecipient: firstRecipient))
    }

    /// Asks until `body` is over.
    func run(readers: Int, writers: Int, _ body: @escaping @Sendable () async throws -> Void) async throws -> Outcome {
        let clock = ContinuousClock()
        let start = clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for reader in 0..<readers { group.addTask { await self.read(from: reader) } }
            for _ in 0..<writers { group.addTask { try await self.write() } }
            group.addTask {
                defer { self.state.withLock { $0.isOver = true } }
                try await body()
            }
            try await group.waitForAll()
        }
        var outcome = self.state.withLock { $0.outcome }
        outcome.seconds = start.duration(to: clock.now) / .seconds(1)
        return outcome
    }

    /// Returns when so many GETs have been answered.
    func hasBeenAnswered(_ count: Int) async throws {
        let announcement = Announcement<Void>()
        let isThere = self.state.withLock { state in
            state.waiting = (count, announcement)
            return state.outcome.reads >= count
        }
        if !isThere { try await announcement.value() }
    }

    private var isOver: Bool { self.state.withLock { $0.isOver } || Task.isCancelled }

    private func read(from first: Int) async {
        var user = first
        while !self.isOver {
            user += 1
            let outcome: Result<Int, any Error>
            do {
                outcome = .success(try await self.client.get("/profiles/\(user % 10 + 1)").status)
            } catch {
                outcome = .failure(error)
            }
            self.wasAnswered(outcome)
        }
    }

    private func wasAnswered(_ result: Result<Int, any Error>) {
        let reached: Announcement<Void>? = self.state.withLock { state in
            state.outcome.reads += 1
            switch result {
            case .success(200): break
            case .success(let status): state.outcome.failedReads.append("status \(status)")
            case .failure(let error as SmokeClient.CutOff) where error.status == 200: state.outcome.cutOff += 1
            case .failure(let error): state.outcome.failedReads.append("\(error)")
            }
            guard let waiting = state.waiting, state.outcome.reads >= waiting.count else { return nil }
            state.waiting = nil
            return waiting.announcement
        }
        reached?.make(())
    }

    private func write() async throws {
        while !self.isOver {
            let recipient: Int? = self.state.withLock { state in
                defer { state.nextRecipient += 1 }
                return state.nextRecipient <= Self.lastRecipient ? state.nextRecipient : nil
            }
            guard let recipient else { return }
            let (status, isWhole) = try await self.post(recipient)
            self.state.withLock { state in
                state.outcome.writes[recipient] = status
                if !isWhole { state.outcome.cutOff += 1 }
            }
            try await Task.sleep(for: Self.pauseOfWriters)
        }
    }

    /// The status with which the answer began tells what became of the request, also where its instance was killed before its end.
    private func post(_ recipient: Int) async throws -> (status: Int, isWhole: Bool) {
        do {
            return (try await self.client.post("/profiles/\(recipient)/notifications", cookie: self.cookie).status, true)
        } catch let error as SmokeClient.CutOff {
            return (error.status, false)
        }
    }
}
