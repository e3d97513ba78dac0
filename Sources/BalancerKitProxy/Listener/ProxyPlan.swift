import Logging
import Metrics
import ScaleCore
import Tracing

/// A configuration that was checked and made ready, shared by all event loops.
final class ProxyPlan: Sendable {
    let configuration: ProxyConfiguration
    let headLimits: HeadLimits
    let routes: PlannedRoutes
    let groups: [UpstreamGroup]
    let limiter: TrafficLimiter
    /// The certificates, where clients speak TLS.
    let certificates: CertificateStore?
    let requestFilter: RequestFilter
    let responseFilter: ResponseFilter
    let times: ProxyTimes
    let log: ProxyLog
    let observers: RequestObservers
    let logs: AccessLogs
    let metrics: ProxyMetrics
    let time: TimeSource

    init(
        _ configuration: ProxyConfiguration, logger: Logger, metrics: any MetricsFactory, tracer: any Tracer, time: TimeSource
    ) throws(ProxyError) {
        try configuration.validate()
        var groups: [UpstreamGroup] = []
        let log = ProxyLog(logger)
        var logFiles: [String: AccessLogFile] = [:]
        func file(_ path: String) -> AccessLogFile {
            let file = logFiles[path] ?? AccessLogFile(path, log)
            logFiles[path] = file
            return file
        }
        self.routes = try PlannedRoutes(configuration, files: file) { (route, responses) throws(ProxyError) in
            let limits = try PlannedLimits(route.limits, configuration)
            switch route.action {
            case .files(let files): return PlannedRoute(.files(FileSite(files, prefix: route.prefix)), responses, limits)
            case .refuse(let status): return PlannedRoute(.refuse(status: status), responses, limits)
            case .answer(let answer): return PlannedRoute(.answer(answer), responses, limits)
            case .close: return PlannedRoute(.close, responses, limits)
            case .forward(let upstream):
                let group = try UpstreamGroup(upstream, index: groups.count)
                groups.append(group)
                return PlannedRoute(.forward(group), responses, limits, ForwardRule(route, upstream), route.upgrades)
            }
        }
        self.configuration = configuration
        self.headLimits = HeadLimits(
            targetLength: configuration.limits.targetLength, headerLength: configuration.limits.headerLength,
            fieldCount: configuration.limits.fieldCount)
        self.groups = groups
        self.limiter = TrafficLimiter(configuration)
        self.certificates = configuration.tls.map(CertificateStore.init)
        self.requestFilter = RequestFilter(configuration.forwarding)
        self.responseFilter = ResponseFilter(configuration.forwarding)
        self.times = ProxyTimes(configuration.timeouts, configuration.clientKeepAlive, configuration.tls)
        self.log = log
        self.logs = AccessLogs(files: logFiles.values.sorted { $0.path < $1.path })
        self.observers = RequestObservers(logger, level: configuration.accessLog, tracer: tracer, time: time)
        self.metrics = ProxyMetrics(metrics)
        self.time = time
    }
}
