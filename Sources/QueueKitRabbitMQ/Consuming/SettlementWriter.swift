internal import ScaleCore

/// Writes acknowledgements to one connection, those together that come together: a hop to the connection's thread is shared by all that
/// came while the one before was under way.
final class SettlementWriter: Sendable {
    private struct Waiting {
        let settlement: AMQPSettlement
        let caller: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var waiting: [Waiting] = []
        var isWriting = false
    }

    private let connection: AMQPConnection
    private let state = Locked(State())

    init(_ connection: AMQPConnection) {
        self.connection = connection
    }

    /// Returns when the socket has it; `false` when the connection is gone.
    func write(_ settlement: AMQPSettlement) async -> Bool {
        await withCheckedContinuation { caller in
            let isFirst = self.state.withLock { state in
                state.waiting.append(Waiting(settlement: settlement, caller: caller))
                defer { state.isWriting = true }
                return !state.isWriting
            }
            if isFirst { Task { await self.writeAll() } }
        }
    }

    private func writeAll() async {
        while true {
            let batch = self.state.withLock { state in
                defer { state.waiting = [] }
                state.isWriting = !state.waiting.isEmpty
                return state.waiting
            }
            if batch.isEmpty { return }
            var isWritten = true
            do { try await self.connection.settle(batch.map(\.settlement)) } catch { isWritten = false }
            for waiting in batch { waiting.caller.resume(returning: isWritten) }
        }
    }
}
