import ScaleCore

@testable import CacheKit

/// One process: its flights, and the invalidations that it owes.
final class SimulatedNode {
    let id: Int
    unowned let world: SimulatedWorld
    var board = FlightBoard()
    var waiters: [FlightBoard.WaiterID: (FlightEnd) -> Void] = [:]
    var journal = InvalidationJournal()
    /// Versions whose invalidation was not confirmed: this node's own reads see them all the same.
    var promised: [String: Int] = [:]
    /// Rises when the process dies: what was on its way to it is lost.
    private(set) var generation = 0

    /// How a load ended, for those who wait.
    enum FlightEnd {
        case value(Int)
        case notGranted(BeginAnswer)
        case failed
    }

    init(id: Int, world: SimulatedWorld) {
        self.id = id
        self.world = world
    }

    /// The process dies, and begins anew with nothing.
    func crash() {
        self.world.note("node \(self.id) crashes")
        self.generation += 1
        self.board = FlightBoard()
        self.waiters = [:]
        self.journal = InvalidationJournal()
        self.promised = [:]
    }

    func end(_ token: LeaseToken, _ end: FlightEnd) {
        for waiter in self.board.end(token).sorted() { self.waiters.removeValue(forKey: waiter)?(end) }
    }

    /// A verb that is one step at the store.
    func send(_ verb: String, _ step: @escaping () -> Void, reply: @escaping (Bool) -> Void) {
        self.world.send(from: self, verb, steps: [step], reply: reply)
    }

    /// A verb that is two steps at the store, between which others' may come.
    func send(_ verb: String, _ first: @escaping () -> Void, _ second: @escaping () -> Void, reply: @escaping (Bool) -> Void) {
        self.world.send(from: self, verb, steps: [first, second], reply: reply)
    }

    /// Runs `body` after `duration`, unless the process has died by then.
    func after(_ duration: Duration, _ body: @escaping () -> Void) {
        let generation = self.generation
        self.world.after(duration) { if self.generation == generation { body() } }
    }
}
