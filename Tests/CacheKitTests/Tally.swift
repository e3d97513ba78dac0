import ScaleCore

/// Counts calls from any task.
final class Tally: Sendable {
    private let count = Locked(0)

    var value: Int { self.count.withLock { $0 } }

    @discardableResult
    func add<Value>(returning value: Value) -> Value {
        self.count.withLock { $0 += 1 }
        return value
    }

    func add() {
        self.count.withLock { $0 += 1 }
    }
}
