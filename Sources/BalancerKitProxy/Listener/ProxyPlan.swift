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
    let requestFilter: RequestFilter
    let responseFilter: ResponseFilter
    let times: ProxyTimes
    let log: ProxyLog
    let observers: RequestObservers
    let metrics: ProxyMetrics
    let time: TimeSource

    init(
        _ configuration: ProxyConfiguration, logger: Logger, metrics: any MetricsFactory, tracer: any Tracer, time: TimeSource
    ) throws(ProxyError) {
        try configuration.validate()
        guard configuration.tls == nil else { throw .invalid("tls", "TLS is not served yet") }
        var groups: [UpstreamGroup] = []
        self.routes = try PlannedRoutes(configuration) { (route) throws(ProxyError) in
            switch route.action {
            case .files: throw .invalid("routes", "files are not served yet")
            case .refuse(let status): return PlannedRoute(.refuse(status: status), nil)
            case .answer(let answer): return PlannedRoute(.answer(answer), nil)
            case .close: return PlannedRoute(.close, nil)
            case .forward(let upstream):
                let group = try UpstreamGroup(upstream, index: groups.count)
                groups.append(group)
                return PlannedRoute(.forward(group), ForwardRule(route, upstream))
            }
        }
        self.configuration = configuration
        self.headLimits = HeadLimits(
            targetLength: configuration.limits.targetLength, headerLength: configuration.limits.headerLength,
            fieldCount: configuration.limits.fieldCount)
        self.groups = groups
        self.requestFilter = RequestFilter(configuration.forwarding)
        self.responseFilter = ResponseFilter(configuration.forwarding)
        self.times = ProxyTimes(configuration.timeouts, configuration.clientKeepAlive)
        self.log = ProxyLog(logger)
        self.observers = RequestObservers(logger, level: configuration.accessLog, tracer: tracer)
        self.metrics = ProxyMetrics(metrics)
        self.time = time
    }
}
