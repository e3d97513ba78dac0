import ScaleCore

extension RedisConfiguration {
    /// Checks what came from outside.
    func validate() throws(RedisError) {
        func reject(_ message: String) throws(RedisError) -> Never {
            throw RedisError(code: .invalidConfiguration, message: message)
        }
        if self.connectTimeout <= .zero { try reject("connectTimeout must be positive") }
        if self.commandTimeout <= .zero { try reject("commandTimeout must be positive") }
        if let idle = self.idleTimeout, idle <= .zero { try reject("idleTimeout must be positive") }
        if self.maximumInFlight < 1 { try reject("maximumInFlight must be at least 1") }
        if self.maximumWaiting < 0 { try reject("maximumWaiting must not be negative") }
        if !(1...CommandRules.maximumEncodedBytes).contains(self.maximumUnwrittenBytes) {
            try reject("maximumUnwrittenBytes must be at least 1 and at most \(CommandRules.maximumEncodedBytes)")
        }
        let limits = self.replyLimits
        if [limits.bulkBytes, limits.arrayElements, limits.lineBytes, limits.nesting, limits.replyBytes].contains(where: { $0 < 1 }) {
            try reject("every limit in replyLimits must be at least 1")
        }
        if let name = self.clientName, !name.utf8.allSatisfy({ (33...126).contains($0) }) || name.isEmpty {
            try reject("clientName may hold printable ASCII characters without spaces alone")
        }
    }
}

extension RedisURL {
    /// Checks the URL together with the configuration: a user cannot sign in without a password.
    func validate(with configuration: RedisConfiguration) throws(RedisError) {
        let greeting = Greeting(configuration, url: self)
        guard greeting.user != nil, greeting.password == nil else { return }
        throw RedisError(
            code: .invalidConfiguration, message: "a user is given without a password, in the URL or the configuration",
            address: self.address)
    }
}

extension ConnectionSettings {
    init(_ configuration: RedisConfiguration, url: RedisURL, reconnects: Bool) {
        self.connectTimeout = configuration.connectTimeout
        self.commandTimeout = configuration.commandTimeout
        self.idleTimeout = configuration.idleTimeout
        self.maximumInFlight = configuration.maximumInFlight
        self.maximumWaiting = configuration.maximumWaiting
        self.maximumUnwrittenBytes = configuration.maximumUnwrittenBytes
        self.backoff = configuration.backoff
        self.reconnects = reconnects
        self.greeting = Greeting(configuration, url: url)
    }
}

extension Greeting {
    init(_ configuration: RedisConfiguration, url: RedisURL) {
        // The configuration's user belongs to the configuration's password, so a URL's password never goes with it.
        self.user = url.user ?? (url.password == nil ? configuration.user : nil)
        self.password = url.password ?? configuration.password
        self.clientName = configuration.clientName
        self.database = url.database
    }
}
