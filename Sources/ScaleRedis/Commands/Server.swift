// The server itself.
extension RedisCommandSender {
    /// Asks for an answer; throws when there is none.
    public func ping() async throws {
        try await self.callStatus("PING", [])
    }

    /// What the server says about itself, by field; of one section such as `memory`, or the default ones.
    public func info(section: String? = nil) async throws -> [String: String] {
        let text = try await self.call("INFO", section.map { [RedisArgument($0)] } ?? [], wanted: "bulk string") { $0.string }
        var fields: [String: String] = [:]
        // Lines end in CR LF, which Swift reads as one character.
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[String(line[..<colon])] = String(line[line.index(after: colon)...])
        }
        return fields
    }

    /// The number of keys in the database. O(1).
    public func dbsize() async throws -> Int {
        try await self.callCount("DBSIZE", [])
    }

    /// Sends a message to all subscribers of a channel, and returns how many got it on this server. See `subscribe`.
    @discardableResult
    public func publish(_ message: RedisArgument, to channel: String) async throws -> Int {
        try await self.callCount("PUBLISH", [RedisArgument(channel), message])
    }
}
