import ScaleCore

/// Asks each part that the service stands on whether it answers.
struct Readiness: Sendable {
    enum State: String, Sendable {
        case up
        case down
    }

    typealias Check = @Sendable () async throws -> Void

    /// The parts by the names that `/readyz` gives them.
    let checks: [String: Check]
    var time: TimeSource = .system
    /// A part that has not answered by then counts as down.
    var limit: Duration = .seconds(1)

    func states() async -> [String: State] {
        await withTaskGroup(of: (String, State).self) { group in
            for (name, check) in self.checks {
                group.addTask { (name, await self.state(of: check)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private func state(of check: @escaping Check) async -> State {
        await withTaskGroup(of: State.self) { group in
            group.addTask {
                do {
                    try await check()
                    return .up
                } catch {
                    return .down
                }
            }
            group.addTask {
                try? await self.time.sleep(for: self.limit)
                return .down
            }
            let first = await group.next() ?? .down
            group.cancelAll()
            return first
        }
    }
}
