internal import Logging
internal import ScaleCore

extension Worker {
    /// What shows the worker to its watchers; `nil` when it shall not be seen, or its broker has no way to them.
    static func monitor(
        _ queue: JobQueue, _ handlers: JobHandlers, _ configuration: Configuration, _ settings: WorkerSettings, _ slots: WorkerSlots,
        _ logger: Logger
    ) -> WorkerMonitor? {
        guard let monitoring = configuration.monitoring else { return nil }
        guard let transport = monitoring.transport ?? (queue.broker as? any MonitoredBroker)?.monitorTransport else {
            logger.warning("this broker has no way to watchers: the worker is not monitored")
            return nil
        }
        let given = monitoring.node ?? configuration.name
        let name = NodeName.make(given ?? NodeName.fresh(process: ProcessSample.processID), host: ProcessSample.hostName)
        var node = MonitorNode(
            address: MonitorAddress(
                node: name, eventExchange: monitoring.eventExchange, controlExchange: monitoring.controlExchange),
            processID: ProcessSample.processID, heartbeat: max(monitoring.heartbeat, .milliseconds(100)))
        node.showsValues = monitoring.showsValues
        node.acceptsControl = monitoring.acceptsControl
        node.tasks = handlers.tasks
        node.brokerFacts = transport.brokerFacts
        node.queueArguments = transport.queueArguments
        node.settings = [
            "task_default_queue": .string(queue.configuration.defaultQueue),
            "lease_seconds": .double(configuration.lease.fractionalSeconds), "maximum_losses": .integer(Int64(configuration.maximumLosses)),
            "grace_seconds": .double(configuration.grace.fractionalSeconds),
        ]
        return WorkerMonitor(node, settings, monitoring, transport, queue: queue, logger: logger) { [weak slots] effect in
            switch effect {
            case .terminate(let jobs): slots?.revoke(jobs)
            case .shutdown: slots?.shutdown()
            case .apply(let settings): slots?.apply(settings)
            }
        }
    }
}
