import QueueKit
import ScaleCore
import ScaleTesting

/// Watchers that are not there: records what is published, and passes on what a test asks.
final class FakeMonitorTransport: MonitorTransport {
    struct Opened: Sendable {
        let address: MonitorAddress
        let onEvent: @Sendable (MonitorLinkEvent) -> Void
    }

    let opened = RecordedFacts<Opened>()
    let published = RecordedFacts<MonitorPublication>()
    let closed = RecordedFacts<Int>()
    /// Where publications stop.
    let gate: Gate
    private let failures: Locked<Int>

    let brokerFacts: JSONObject = ["transport": "fake"]
    let queueArguments: JSONObject = [:]

    /// - Parameter failures: how many times it cannot be opened.
    init(failures: Int = 0, isStuck: Bool = false) {
        self.failures = Locked(failures)
        self.gate = Gate("publish")
        if !isStuck { self.gate.open() }
    }

    func open(_ address: MonitorAddress, onEvent: @escaping @Sendable (MonitorLinkEvent) -> Void) async throws -> any MonitorLink {
        self.opened.record(Opened(address: address, onEvent: onEvent))
        let fails = self.failures.withLock { failures in
            defer { failures = max(0, failures - 1) }
            return failures > 0
        }
        if fails { throw QueueError(code: .unavailable, message: "405 RESOURCE_LOCKED") }
        return Link(transport: self)
    }

    private struct Link: MonitorLink {
        let transport: FakeMonitorTransport

        func publish(_ publications: [MonitorPublication]) async throws {
            try await self.transport.gate.pass(isCancellable: false)
            for publication in publications { self.transport.published.record(publication) }
        }

        func close() async {
            self.transport.closed.record(1)
        }
    }

    // MARK: For tests

    /// Sends a request through the link that was opened last, when there is one.
    func ask(_ method: String, _ arguments: String = "{}") async throws {
        let link = try await self.opened.waitForCount(1)[self.opened.count - 1]
        link.onEvent(.request(MonitorWorld.request(method, arguments)))
    }

    /// The events so far, by their types in their order.
    func eventTypes(of id: JobID? = nil) throws -> [String] {
        try self.published.all.filter { $0.exchange == "celeryev" }.flatMap { publication in
            let body = try JSONParser.parse(publication.message.body)
            return (body.arrayValue ?? [body]).compactMap(\.objectValue).filter { id == nil || $0["uuid"]?.stringValue == id?.rawValue }
                .compactMap { $0["type"]?.stringValue }
        }
    }

    func waitForEvents(_ types: [String], of id: JobID) async throws {
        try await eventually("events \(types)") { try self.eventTypes(of: id) == types }
    }

    func waitForEvent(_ type: String) async throws {
        try await eventually("event \(type)") { try self.eventTypes().contains(type) }
    }
}
