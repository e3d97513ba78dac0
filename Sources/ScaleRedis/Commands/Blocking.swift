import ScaleCore

// Commands that wait on the server until there is something. They hold up everything behind them on their connection, and so exist on
// a connection of one's own alone; the shared one refuses them, also by name.
extension RedisConnection {
    /// Takes an element from an end of the first of the lists that has one, waiting for up to `timeout`; nil when none came.
    ///
    /// - Parameter timeout: rounded up to whole milliseconds; nil waits without end. When the task is cancelled while it waits, an
    ///   element may be taken all the same and be lost: where that matters, use ``blmove(from:_:to:_:timeout:)``.
    public func blockingPop(
        _ keys: [String], from end: RedisListEnd = .left, timeout: Duration?
    ) async throws -> (key: [UInt8], element: [UInt8])? {
        let name = end == .left ? "BLPOP" : "BRPOP"
        let reply = try await self.send(
            RedisCommand(name, keys.map { RedisArgument($0) } + [blockingTime(timeout)]), patience: timeout)
        if reply.isNull { return nil }
        guard let parts = reply.byteStrings, parts.count == 2 else {
            throw RedisError.unexpected(reply, command: name, wanted: "key and element")
        }
        return (key: parts[0], element: parts[1])
    }

    /// Moves an element between two lists in one step, waiting for up to `timeout` for one; nil when none came.
    public func blmove(
        from source: String, _ sourceEnd: RedisListEnd, to destination: String, _ destinationEnd: RedisListEnd, timeout: Duration?
    ) async throws -> [UInt8]? {
        let reply = try await self.send(
            RedisCommand(
                "BLMOVE",
                [
                    RedisArgument(source), RedisArgument(destination), sourceEnd.argument, destinationEnd.argument, blockingTime(timeout),
                ]), patience: timeout)
        if reply.isNull { return nil }
        guard case .bulk(let element) = reply else { throw RedisError.unexpected(reply, command: "BLMOVE", wanted: "bulk string") }
        return element
    }
}

/// A waiting time in seconds, as the server takes it: 0 is without end, so that a time of zero becomes the shortest there is.
private func blockingTime(_ timeout: Duration?) -> RedisArgument {
    guard let timeout else { return 0 }
    let milliseconds = max(1, timeout.wholeMillisecondsRoundedUp)
    return RedisArgument(Double(milliseconds) / 1000)
}
