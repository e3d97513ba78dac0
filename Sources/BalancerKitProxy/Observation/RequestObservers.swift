import Logging
import Tracing

/// Who is told of single requests: the access log and the tracer, each if there is one.
struct RequestObservers: Sendable {
    /// Where the access log goes, and its level; nil is no access log.
    let accessLog: (logger: Logger, level: Logger.Level)?
    /// Nil where nobody traces; a request's trace fields then go on as the client sent them.
    let tracer: (any Tracer)?

    init(_ logger: Logger, level: Logger.Level?, tracer: any Tracer) {
        self.accessLog = level.map { (logger, $0) }
        self.tracer = tracer is NoOpTracer ? nil : tracer
    }

    /// Whether a request is worth a record: its path and method are copied for it.
    var areListening: Bool { self.tracer != nil || self.isLogging }

    var isLogging: Bool {
        guard let accessLog else { return false }
        return accessLog.logger.logLevel <= accessLog.level
    }
}
