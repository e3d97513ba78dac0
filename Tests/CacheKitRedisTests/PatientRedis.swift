import ScaleRedis

extension RedisConfiguration {
    /// Time-outs longer than a busy machine takes for an answer.
    static var patient: RedisConfiguration {
        var configuration = RedisConfiguration()
        (configuration.connectTimeout, configuration.commandTimeout) = (.seconds(60), .seconds(60))
        return configuration
    }
}
