import ScaleCore

/// Decides which connection a command goes to.
///
/// With one server there is one answer. A pool picks one of several, a cluster the owner of the key's slot.
protocol CommandRoute: Sendable {
    /// The connection for a command on `key`, or for one that has no key.
    func connection(forKey key: RedisArgument?) -> PipelinedConnection

    func shutDown(within limit: Duration) async
    /// Ends all connections at once, without waiting.
    func close()
}

/// One server behind one connection.
struct SingleServerRoute: CommandRoute {
    let connection: PipelinedConnection

    func connection(forKey key: RedisArgument?) -> PipelinedConnection { self.connection }

    func shutDown(within limit: Duration) async {
        await self.connection.shutDown(within: limit)
    }

    func close() {
        self.connection.close()
    }
}
