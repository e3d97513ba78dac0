import QueueKitRabbitMQ

extension RabbitMQBroker.Configuration {
    /// For tests that are not about a server's silence: no answer of a busy machine comes too late.
    static var patient: Self {
        var configuration = Self()
        configuration.publishTimeout = .seconds(300)
        configuration.connectTimeout = .seconds(30)
        configuration.answerTimeout = .seconds(30)
        return configuration
    }
}
