import Tracing

/// A header field that carries a part of a trace's context, such as W3C's `traceparent`.
struct TraceField: Equatable, Sendable {
    var name: String
    var value: String
}

/// Takes a trace from a client's header fields and hands it on in the upstream's. Which fields those are is the tracer's business.
enum TraceContext {
    /// The fields of a request by their names in lower case; of repeated ones the first.
    private struct HeadExtractor: Extractor {
        func extract(key: String, from fields: [String: String]) -> String? { fields[key.lowercased()] }
    }

    private struct FieldInjector: Injector {
        func inject(_ value: String, forKey key: String, into fields: inout [TraceField]) {
            // What could end the line or is no name does not get into a head, whoever made it.
            let isName = !key.isEmpty && key.utf8.allSatisfy(ByteClass.isToken)
            guard isName, !value.utf8.contains(where: ByteClass.isControl) else { return }
            fields.append(TraceField(name: key, value: value))
        }
    }

    /// Begins the span of a request, as a child of what the client's fields name.
    static func begin(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, name: String, _ tracer: any Tracer) -> any Span {
        var fields: [String: String] = [:]
        for field in head.fields.fields {
            let name = String(decoding: bytes[field.name], as: UTF8.self).lowercased()
            if fields[name] == nil { fields[name] = String(decoding: bytes[field.value], as: UTF8.self) }
        }
        var context = ServiceContext.topLevel
        tracer.extract(fields, into: &context, using: HeadExtractor())
        return tracer.startSpan(name, context: context, ofKind: .server)
    }

    static func fields(of span: any Span, _ tracer: any Tracer) -> [TraceField] {
        var fields: [TraceField] = []
        tracer.inject(span.context, into: &fields, using: FieldInjector())
        return fields
    }
}
