import Logging
import Metrics
import ScaleCore
import Synchronization

/// Delivers invalidations to the store: within a time limit for the caller, and in the background what could not be confirmed.
final class Invalidator: Sendable {
    private struct State {
        var journal = InvalidationJournal()
        /// Repeats what is owed until nothing is.
        var delivery: Task<Void, Never>?
    }

    private let namespace: String
    private let store: any CacheStore
    private let time: TimeSource
    private let limit: Duration
    private let logger: Logger
    private let errors: Counter
    private let outage: OutageLoads
    private let state = Locked(State())
    /// Mirrors `!journal.isEmpty`, for the path of a hit.
    private let owes = Atomic(false)

    init(namespace: String, store: any CacheStore, configuration: CacheConfiguration, errors: Counter, outage: OutageLoads) {
        self.namespace = namespace
        self.store = store
        self.time = configuration.time
        self.limit = configuration.invalidationTimeLimit
        self.logger = configuration.logger
        self.errors = errors
        self.outage = outage
    }

    /// Whether an invalidation is undelivered.
    var isOwing: Bool { self.owes.load(ordering: .acquiring) }

    /// Invalidates at the store. Goes on when the caller is cancelled.
    ///
    /// Throws ``CacheError/Code/notConfirmed`` when the store has not confirmed within the limit, or `CancellationError`; the
    /// invalidation is then journaled.
    func invalidate(_ targets: [InvalidationTarget]) async throws {
        // What is loaded without the store knows of no other invalidations than these.
        self.outage.detachAll()
        defer { self.outage.detachAll() }
        let deadline = self.time.now().advanced(by: self.limit)
        let result = FirstResult()
        Task { result.set(await self.attempt(targets, until: deadline)) }
        let timer: Task<Void, Never>? =
            self.limit > .zero
            ? Task {
                try? await self.time.sleep(until: deadline)
                // The attempt may still be under way: its outcome is unknown, so it is owed.
                guard !Task.isCancelled, !result.isSet else { return }
                self.journal(targets)
                result.set(.failure(Self.late))
            } : nil
        defer { timer?.cancel() }
        switch await result.value(onCancel: { self.journal(targets) }) {
        case .success:
            return
        case .failure(let error as CancellationError):
            throw error
        case .failure(let error):
            throw CacheError(
                code: .notConfirmed,
                message: "the invalidation could not be confirmed and stays journaled (\(CacheError.from(error, key: nil).message))")
        }
    }

    /// Delivers what is owed, if anything. Throws when it cannot.
    func settle() async throws {
        guard self.isOwing else { return }
        let (targets, mark) = self.state.withLock { $0.journal.owed }
        try await self.deliver(targets)
        self.settled(targets, upTo: mark)
    }

    private static let late = CacheError(code: .storeUnavailable, message: "no answer in time")

    /// Tries until it works or the deadline has passed: once at once, once more at once (a broken connection is replaced by then), and then
    /// with growing pauses.
    private func attempt(_ targets: [InvalidationTarget], until deadline: Instant) async -> Result<Void, any Error> {
        var pause = Duration.zero
        while true {
            do {
                try await self.deliver(targets)
                return .success(())
            } catch {
                self.errors.increment()
                guard self.time.now().advanced(by: pause) < deadline else {
                    self.journal(targets)
                    return .failure(error)
                }
            }
            if pause > .zero { try? await self.time.sleep(for: pause) }
            pause = min(max(pause * 2, .milliseconds(10)), .milliseconds(250))
        }
    }

    private func deliver(_ targets: [InvalidationTarget]) async throws {
        var keys: [CacheKey] = []
        var tags: [CacheTag] = []
        for target in targets {
            switch target {
            case .key(let name): keys.append(CacheKey(namespace: self.namespace, name: name))
            case .tag(let name): tags.append(CacheTag(namespace: self.namespace, name: name))
            }
        }
        if !tags.isEmpty { try await self.store.invalidate(tags) }
        if !keys.isEmpty { _ = try await self.store.remove(keys) }
    }

    private func journal(_ targets: [InvalidationTarget]) {
        let startsDelivery = self.state.withLock { state in
            state.journal.add(targets)
            self.owes.store(true, ordering: .releasing)
            guard state.delivery == nil else { return false }
            state.delivery = Task { [weak self, time = self.time] in
                var pause = Duration.milliseconds(50)
                while await self?.deliverOwed() == false {
                    do { try await time.sleep(for: pause) } catch { return }
                    pause = min(pause * 2, .seconds(2))
                }
            }
            return true
        }
        guard startsDelivery else { return }
        self.logger.warning(
            "invalidations could not be confirmed and are repeated until they are", metadata: ["cache": "\(self.namespace)"])
    }

    private func settled(_ targets: [InvalidationTarget], upTo mark: UInt64) {
        self.state.withLock { state in
            state.journal.delivered(targets, upTo: mark)
            self.owes.store(!state.journal.isEmpty, ordering: .releasing)
        }
    }

    /// Delivers what is owed. Whether nothing is owed any more.
    private func deliverOwed() async -> Bool {
        guard (try? await self.settle()) != nil else { return false }
        return self.state.withLock { state in
            guard state.journal.isEmpty else { return false }
            state.delivery = nil
            return true
        }
    }

    deinit {
        self.state.withLock { $0.delivery }?.cancel()
    }
}

/// A result that is set once, by whoever comes first, and awaited by one.
private final class FirstResult: Sendable {
    private struct State {
        var result: Result<Void, any Error>?
        var continuation: CheckedContinuation<Result<Void, any Error>, Never>?
    }

    private let state = Locked(State())

    var isSet: Bool { self.state.withLock { $0.result != nil } }

    func set(_ result: Result<Void, any Error>) {
        let continuation: CheckedContinuation<Result<Void, any Error>, Never>? = self.state.withLock { state in
            guard state.result == nil else { return nil }
            state.result = result
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(returning: result)
    }

    /// The result; a `CancellationError` if this task is cancelled before there is one, after `onCancel`.
    func value(onCancel: @escaping @Sendable () -> Void) async -> Result<Void, any Error> {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known: Result<Void, any Error>? = self.state.withLock { state in
                    if state.result == nil { state.continuation = continuation }
                    return state.result
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            guard !self.isSet else { return }
            onCancel()
            self.set(.failure(CancellationError()))
        }
    }
}
