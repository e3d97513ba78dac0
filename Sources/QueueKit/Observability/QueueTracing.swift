internal import Tracing

/// Spans of jobs, and trace context in message headers, by whatever instrument the process has bootstrapped (W3C's `traceparent` with
/// OpenTelemetry).
///
/// Spans are named and attributed by OpenTelemetry's semantic conventions for messaging.
struct QueueTracing: Sendable {
    private struct HeaderInjector: Injector {
        func inject(_ value: String, forKey key: String, into carrier: inout JSONObject) {
            carrier[key] = .string(value)
        }
    }

    private struct HeaderExtractor: Extractor {
        func extract(key: String, from carrier: JSONObject) -> String? {
            carrier[key]?.stringValue
        }
    }

    /// `nil` is the process-wide one.
    let tracer: (any Tracer)?

    private var current: any Tracer { self.tracer ?? InstrumentationSystem.tracer }
    /// An instrument that only carries context is no tracer.
    private var instrument: any Instrument { self.tracer ?? InstrumentationSystem.instrument }

    /// Gives the message the caller's trace context to carry.
    func inject(into message: inout TaskMessage) {
        guard let context = ServiceContext.current else { return }
        self.instrument.inject(context, into: &message.userHeaders, using: HeaderInjector())
    }

    /// Runs `body` in a producer span; a message that is prepared in it carries the span's context.
    func withProducerSpan<Result>(of task: String, queue: String, _ body: (any Span) async throws -> Result) async throws -> Result {
        let tracer = self.current
        // Nobody would see it, and each caller's task would be given its context once more.
        if tracer is NoOpTracer { return try await body(NoOpTracer.NoOpSpan(context: ServiceContext.current ?? .topLevel)) }
        return try await tracer.withAnySpan("send \(queue)", ofKind: .producer) { span in
            self.describe(span, operation: "send", task: task, queue: queue)
            return try await body(span)
        }
    }

    /// Runs `body` in a consumer span that continues the trace of the message.
    func withConsumerSpan(of message: TaskMessage, queue: String, _ body: () async throws -> Void) async throws {
        var context = ServiceContext.topLevel
        self.instrument.extract(message.userHeaders, into: &context, using: HeaderExtractor())
        try await self.current.withAnySpan("process \(queue)", context: context, ofKind: .consumer) { span in
            self.describe(span, operation: "process", task: message.task, queue: queue)
            self.note(message.id, in: span)
            try await body()
        }
    }

    func note(_ id: JobID, in span: any Span) {
        guard span.isRecording else { return }
        span.attributes["messaging.message.id"] = id.rawValue
    }

    private func describe(_ span: any Span, operation: String, task: String, queue: String) {
        // As with no tracer at all: nobody would see it.
        guard span.isRecording else { return }
        span.attributes["messaging.system"] = "queuekit"
        span.attributes["messaging.operation.type"] = operation
        span.attributes["messaging.destination.name"] = queue
        span.attributes["queuekit.task"] = task
    }
}
