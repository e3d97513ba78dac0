internal import Tracing

/// Trace context in message headers, by whatever instrument the process has bootstrapped (W3C's `traceparent` with OpenTelemetry).
///
/// Spans are named and attributed by OpenTelemetry's semantic conventions for messaging.
enum TraceContext {
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

    /// Gives the message the caller's trace context to carry.
    static func inject(into message: inout TaskMessage) {
        guard let context = ServiceContext.current else { return }
        InstrumentationSystem.instrument.inject(context, into: &message.userHeaders, using: HeaderInjector())
    }

    /// Runs `body` in a consumer span that continues the trace of the message.
    static func withConsumerSpan(of message: TaskMessage, queue: String, _ body: () async throws -> Void) async throws {
        var context = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(message.userHeaders, into: &context, using: HeaderExtractor())
        try await withSpan("process \(queue)", context: context, ofKind: .consumer) { span in
            span.attributes["messaging.system"] = "queuekit"
            span.attributes["messaging.operation.type"] = "process"
            span.attributes["messaging.destination.name"] = queue
            span.attributes["messaging.message.id"] = message.id.rawValue
            span.attributes["queuekit.task"] = message.task
            try await body()
        }
    }
}
