import ScaleCore
import ScaleTesting
import Tracing

/// A tracer that speaks W3C's Trace Context, numbers its spans, and records the ended ones.
struct W3CTracer: Tracer {
    struct Ended: Sendable {
        let name: String
        let kind: SpanKind
        /// `name=value` of all attributes.
        let attributes: String
        let isError: Bool
    }

    private enum TraceKey: ServiceContextKey {
        typealias Value = (trace: String, span: String)
        static let nameOverride: String? = "test-trace"
    }

    let ended = RecordedFacts<Ended>()
    /// Written as `tracestate`.
    let state: String?
    private let count = Counter()

    init(state: String? = nil) {
        self.state = state
    }

    private final class Counter: Sendable {
        let value = Locked(0)
    }

    func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> TestSpan {
        var context = context()
        let number = self.count.value.withLock { value in
            value += 1
            return value
        }
        func hex(_ length: Int) -> String {
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: length - digits.count) + digits
        }
        context[TraceKey.self] = (context[TraceKey.self]?.trace ?? hex(32), hex(16))
        return TestSpan(operationName, kind, context, self.ended)
    }

    func forceFlush() {}

    func inject<Carrier, Inject: Injector>(_ context: ServiceContext, into carrier: inout Carrier, using injector: Inject)
    where Carrier == Inject.Carrier {
        guard let (trace, span) = context[TraceKey.self] else { return }
        injector.inject("00-\(trace)-\(span)-01", forKey: "traceparent", into: &carrier)
        if let state { injector.inject(state, forKey: "tracestate", into: &carrier) }
    }

    func extract<Carrier, Extract: Extractor>(_ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract)
    where Carrier == Extract.Carrier {
        let parts = extractor.extract(key: "traceparent", from: carrier)?.split(separator: "-") ?? []
        guard parts.count == 4 else { return }
        context[TraceKey.self] = (String(parts[1]), String(parts[2]))
    }
}

final class TestSpan: Span {
    private struct State {
        var name: String
        var attributes: SpanAttributes = [:]
        var isError = false
    }

    let context: ServiceContext
    private let kind: SpanKind
    private let ended: RecordedFacts<W3CTracer.Ended>
    private let state: Locked<State>

    init(_ name: String, _ kind: SpanKind, _ context: ServiceContext, _ ended: RecordedFacts<W3CTracer.Ended>) {
        self.kind = kind
        self.context = context
        self.ended = ended
        self.state = Locked(State(name: name))
    }

    var isRecording: Bool { true }

    var operationName: String {
        get { self.state.withLock { $0.name } }
        set { self.state.withLock { $0.name = newValue } }
    }

    var attributes: SpanAttributes {
        get { self.state.withLock { $0.attributes } }
        set { self.state.withLock { $0.attributes = newValue } }
    }

    func setStatus(_ status: SpanStatus) {
        self.state.withLock { $0.isError = status.code == .error }
    }

    func addLink(_ link: SpanLink) {}
    func addEvent(_ event: SpanEvent) {}
    func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {}

    func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let state = self.state.withLock { $0 }
        var texts: [String] = []
        state.attributes.forEach { name, value in
            switch value {
            case .string(let text): texts.append("\(name)=\(text)")
            case .int32(let number): texts.append("\(name)=\(number)")
            case .int64(let number): texts.append("\(name)=\(number)")
            default: texts.append("\(name)=?")
            }
        }
        self.ended.record(
            .init(name: state.name, kind: self.kind, attributes: texts.joined(separator: " "), isError: state.isError))
    }
}
