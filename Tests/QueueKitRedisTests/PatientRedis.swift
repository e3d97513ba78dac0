import ScaleCore
import ScaleRedis

extension RedisClient {
    /// A client whose time-outs are longer than a busy machine takes for any answer.
    static func patient(_ url: String, _ change: (inout RedisConfiguration) -> Void = { _ in }) throws -> RedisClient {
        var configuration = RedisConfiguration()
        configuration.connectTimeout = .seconds(60)
        configuration.commandTimeout = .seconds(60)
        change(&configuration)
        return try RedisClient(url, configuration: configuration)
    }
}
