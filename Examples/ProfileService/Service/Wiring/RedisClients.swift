import Logging
import ScaleRedis
import ServiceLifecycle

/// One client per Redis URL, however many roles it has; and what to say of servers that are down at the start.
struct RedisClients {
    let logger: Logger
    private var byURL: [String: RedisClient] = [:]
    private var unreached: [Logger.Message] = []

    init(logger: Logger) {
        self.logger = logger
    }

    var all: [any Service] { Array(self.byURL.values) }

    /// The client for a choice; nil for memory.
    ///
    /// - Throws: `StartError` that names the flag for a URL that cannot be used, and for credentials or a database that the server refuses. A
    ///   server that is down is none; see ``warnOfUnreached()``.
    mutating func client(for choice: StoreChoice, flag: String) async throws -> RedisClient? {
        guard case .redis(let url) = choice else { return nil }
        if let client = self.byURL[url] { return client }
        let client = try self.make(url, flag: flag)
        self.byURL[url] = client
        do {
            try await client.ping()
        } catch {
            if let refusal = Self.refusal(error, of: client, flag: flag) { throw refusal }
            self.willWait("\(flag): Redis at \(client.address) cannot be reached yet; waiting for it: \(error)")
        }
        return client
    }

    /// Notes a server that is down, and is waited for.
    mutating func willWait(_ warning: Logger.Message) {
        self.unreached.append(warning)
    }

    /// Warns of the servers that are down, once nothing else can refuse the start: that would be its only line.
    func warnOfUnreached() {
        for warning in self.unreached { self.logger.warning(warning) }
    }

    /// Asks a server once, for those that have no use for one that is down.
    ///
    /// - Throws: `StartError` that names the flag.
    func probe(_ url: String, flag: String) async throws {
        let client = try self.make(url, flag: flag)
        do {
            try await client.ping()
        } catch {
            throw Self.refusal(error, of: client, flag: flag)
                ?? StartError("\(flag): Redis at \(client.address) cannot be reached; start it, or name another")
        }
        await client.shutdown()
    }

    private func make(_ url: String, flag: String) throws -> RedisClient {
        var configuration = RedisConfiguration()
        configuration.clientName = "profile-service"
        // A page must not wait long for a cache that is down: it can come from the database.
        configuration.connectTimeout = .milliseconds(500)
        configuration.commandTimeout = .seconds(1)
        configuration.logger = self.logger
        do {
            return try RedisClient(url, configuration: configuration)
        } catch {
            throw StartError("\(flag): \(error.message); write redis://HOST:PORT/DATABASE")
        }
    }

    /// What waiting would not mend.
    private static func refusal(_ error: any Error, of client: RedisClient, flag: String) -> StartError? {
        guard let error = error as? RedisError else { return nil }
        if error.code == .authenticationFailed {
            return StartError("\(flag): Redis at \(client.address) refuses the credentials; check user and password in the URL")
        }
        if error.serverError?.kind == "ERR" {
            return StartError("\(flag): Redis at \(client.address) refuses the database; check the number at the end of the URL")
        }
        return nil
    }
}
