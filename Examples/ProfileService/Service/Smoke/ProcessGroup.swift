import ScaleCore

/// Processes by name, of which each can be killed and started again, and all of which are ended together.
final class ProcessGroup: Sendable {
    private struct Member {
        var process: ChildProcess
        var arguments: [String]
    }

    private let scratch: ScratchDirectory
    private let members = Locked<[String: Member]>([:])

    /// More than a part takes by itself, and within the 10 s in which the whole is to end.
    static let endLimit = Duration.seconds(9)

    private init(scratch: ScratchDirectory) {
        self.scratch = scratch
    }

    /// Ends what `body` has started, also when it throws between two starts.
    ///
    /// - Parameter limit: how long a process may take to end by itself.
    static func with<Result: Sendable>(
        in scratch: ScratchDirectory, endingWithin limit: Duration = ProcessGroup.endLimit,
        _ body: (ProcessGroup) async throws -> Result
    ) async throws -> Result {
        let group = ProcessGroup(scratch: scratch)
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body(group))
        } catch {
            result = .failure(error)
        }
        await group.end(within: limit)
        return try result.get()
    }

    /// Starts this program with other arguments.
    func start(_ name: String, _ arguments: [String]) throws {
        self.add(try ChildProcess.start(name, arguments, in: self.scratch), arguments)
    }

    /// Takes a process in that was started by other means, to be ended with the others.
    func add(_ process: ChildProcess, _ arguments: [String] = []) {
        self.members.withLock { $0[process.name] = Member(process: process, arguments: arguments) }
    }

    /// Starts a process again that has ended, under the same name and with the same arguments. What it writes goes on in the same log.
    ///
    /// - Parameter left: arguments at the end that it is not given this time.
    func startAgain(_ name: String, without left: [String] = []) throws {
        let arguments = try self.member(name).arguments
        try self.start(name, arguments.suffix(left.count) == left[...] ? arguments.dropLast(left.count) : arguments)
    }

    func process(_ name: String) throws -> ChildProcess { try self.member(name).process }

    private func member(_ name: String) throws -> Member {
        guard let member = self.members.withLock({ $0[name] }) else { throw SmokeFailure(description: "there is no process \(name)") }
        return member
    }

    /// Ends all at once: nothing is in flight any more.
    private func end(within limit: Duration) async {
        let processes = self.members.withLock { $0.values.map(\.process) }
        // In a task of its own, since this one may have been cancelled, and the processes are to be gone all the same.
        await Task {
            await withTaskGroup(of: Void.self) { tasks in
                for process in processes { tasks.addTask { await process.end(within: limit) } }
            }
        }.value
    }
}
