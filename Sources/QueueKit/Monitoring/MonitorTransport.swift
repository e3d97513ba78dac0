/// Carries between a worker and its watchers: what is published, and the requests that come in.
///
/// The worker opens a link, uses it until it is lost, and opens the next one with a back-off. A transport therefore keeps nothing, repeats
/// nothing and waits for nobody. It must not share a connection with jobs.
public protocol MonitorTransport: Sendable {
    /// Opens a link, through which requests to `address` come from now on.
    ///
    /// - Parameter onEvent: may be called from any thread; returns at once. `.lost` is the last event, and comes once.
    /// - Throws: when the server cannot be reached, or the node's name is in use.
    func open(_ address: MonitorAddress, onEvent: @escaping @Sendable (MonitorLinkEvent) -> Void) async throws -> any MonitorLink

    /// What `stats` shows of the broker: host, port, virtual host and the like, and no secret.
    var brokerFacts: JSONObject { get }

    /// The arguments with which a queue of jobs is declared, as `active_queues` shows them.
    var queueArguments: JSONObject { get }
}

/// An open link of a ``MonitorTransport``.
public protocol MonitorLink: Sendable {
    /// Sends messages in their order, without waiting for a confirm. After an error the link is useless.
    func publish(_ publications: [MonitorPublication]) async throws

    /// Ends the link, as far as that is possible.
    func close() async
}

/// What a link tells by itself.
public enum MonitorLinkEvent: Sendable {
    /// A message of the node's mailbox.
    case request(Message)
    /// The server takes nothing for now; nothing is to be published until it does.
    case blocked
    case unblocked
    /// The link is gone, for a reason in words that hold no secret.
    case lost(String)
}

/// Under which names a node is found at a broker.
public struct MonitorAddress: Hashable, Sendable {
    /// `name@host`, at most 200 bytes.
    public var node: String
    public var eventExchange: String
    public var controlExchange: String

    /// The exchange to which requests are published, one copy for each node.
    public var requestExchange: String { "\(self.controlExchange).pidbox" }
    /// The exchange of the answers.
    public var replyExchange: String { "reply.\(self.controlExchange).pidbox" }
    /// The node's own queue of requests.
    public var mailbox: String { "\(self.node).\(self.requestExchange)" }

    public init(node: String, eventExchange: String = "celeryev", controlExchange: String = "celery") {
        self.node = node
        self.eventExchange = eventExchange
        self.controlExchange = controlExchange
    }
}

/// A message to watchers.
public struct MonitorPublication: Hashable, Sendable {
    /// ``MonitorAddress/eventExchange``, ``MonitorAddress/requestExchange``, ``MonitorAddress/replyExchange``, or `""` for a queue by its
    /// name.
    public var exchange: String
    public var routingKey: String
    public var message: Message

    public init(exchange: String, routingKey: String, message: Message) {
        self.exchange = exchange
        self.routingKey = routingKey
        self.message = message
    }
}

/// A broker whose workers can be watched over it.
public protocol MonitoredBroker: Broker {
    var monitorTransport: any MonitorTransport { get }
}
