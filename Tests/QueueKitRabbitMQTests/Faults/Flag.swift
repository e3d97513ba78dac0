import ScaleCore

/// Something that has happened, for tasks that go on until it has.
final class Flag: Sendable {
    private let state = Locked(false)

    var isRaised: Bool { self.state.withLock { $0 } }

    func raise() {
        self.state.withLock { $0 = true }
    }
}
