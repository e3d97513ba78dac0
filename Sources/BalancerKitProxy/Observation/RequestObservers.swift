import Logging
import ScaleCore
import Tracing

/// Who is told of single requests: the access log and the tracer, each if there is one.
struct RequestObservers: Sendable {
    /// Where the access log goes, and its level; nil is no access log.
    let accessLog: (logger: Logger, level: Logger.Level)?
    /// Nil where nobody traces; a request's trace fields then go on as the client sent them.
    let tracer: (any Tracer)?
    let time: TimeSource

    init(_ logger: Logger, level: Logger.Level?, tracer: any Tracer, time: TimeSource) {
        self.time = time
        self.accessLog = level.map { (logger, $0) }
        self.tracer = tracer is NoOpTracer ? nil : tracer
    }

    /// Whether a request is worth a record: its path and method are copied for it.
    func areListening(_ log: RequestLog) -> Bool {
        guard self.tracer == nil else { return true }
        return switch log {
        case .logger: self.isLogging
        case .off: false
        case .files: true
        }
    }

    var isLogging: Bool {
        guard let accessLog else { return false }
        return accessLog.logger.logLevel <= accessLog.level
    }
}
