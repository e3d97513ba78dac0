import Logging
import QueueKit
import QueueKitRabbitMQ
import ScaleCore

/// The broker of jobs, by its URL.
enum RabbitMQ {
    /// - Throws: `StartError` that names the flag for a URL that cannot be used. The server is not asked yet.
    static func open(_ url: String, flag: String = "--queue", patience: Patience = Patience(), logger: Logger) throws -> RabbitMQBroker {
        var configuration = RabbitMQBroker.Configuration()
        configuration.connectionName = "profile-service"
        // A request must not wait long for a broker that is down or full.
        configuration.publishTimeout = patience.brokerAnswer
        configuration.connectTimeout = patience.brokerConnection
        configuration.answerTimeout = patience.brokerAnswer
        do {
            return try RabbitMQBroker(url, configuration: configuration, logger: logger)
        } catch {
            throw StartError("\(flag): \(error.message); write amqp://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST")
        }
    }
}
