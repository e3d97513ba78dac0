import CacheKitMemcached

extension MemcachedConfiguration {
    /// For tests that are not about a server's silence: no answer of a busy machine comes too late.
    static var patient: Self {
        var configuration = Self()
        configuration.connectTimeout = .seconds(60)
        configuration.replyTimeout = .seconds(60)
        return configuration
    }
}
