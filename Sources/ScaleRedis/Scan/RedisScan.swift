/// The elements of a keyspace, hash, set or sorted set, fetched page by page with a cursor.
///
/// What is there from beginning to end of the iteration comes at least once; what is added or removed meanwhile may come or not;
/// anything may come twice. Stopping early costs nothing on the server. Each iteration starts anew.
public struct RedisScan<Element: Sendable>: AsyncSequence, Sendable {
    let sender: any RedisCommandSender
    let name: String
    /// Arguments before the cursor.
    let prefix: [RedisArgument]
    /// Arguments after the cursor.
    let options: [RedisArgument]
    let decode: @Sendable ([[UInt8]]) -> [Element]?

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(scan: self)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let scan: RedisScan
        /// Nil after the last page.
        private var cursor: RedisArgument? = "0"
        private var page: [Element] = []
        private var position = 0

        init(scan: RedisScan) {
            self.scan = scan
        }

        /// The next element. Throws ``RedisError`` or `CancellationError`; the iteration is over then.
        public mutating func next() async throws -> Element? {
            while self.position >= self.page.count {
                // A page may be empty though there are more.
                guard let cursor = self.cursor else { return nil }
                self.cursor = nil
                try await self.load(cursor)
            }
            defer { self.position += 1 }
            return self.page[self.position]
        }

        private mutating func load(_ cursor: RedisArgument) async throws {
            let reply = try await self.scan.sender.send(
                RedisCommand(self.scan.name, self.scan.prefix + [cursor] + self.scan.options))
            guard let parts = reply.array, parts.count == 2, let next = parts[0].bytes, let elements = parts[1].byteStrings,
                let page = self.scan.decode(elements)
            else { throw RedisError.unexpected(reply, command: self.scan.name, wanted: "cursor and elements") }
            self.page = page
            self.position = 0
            self.cursor = next == [UInt8(ascii: "0")] ? nil : RedisArgument(next)
        }
    }
}

extension RedisCommandSender {
    /// All keys of the database.
    ///
    /// - Parameters:
    ///   - match: a glob such as `user:*`, applied after a page is read: a rare match takes as many pages as all keys.
    ///   - type: `string`, `list`, `set`, `zset`, `hash` or `stream` alone.
    ///   - pageSize: about how many keys the server looks at for one page.
    public func scan(match: String? = nil, type: String? = nil, pageSize: Int = 100) -> RedisScan<[UInt8]> {
        let kind: [RedisArgument] = type.map { ["TYPE", RedisArgument($0)] } ?? []
        return RedisScan(
            sender: self, name: "SCAN", prefix: [], options: scanOptions(match, pageSize) + kind, decode: { $0 })
    }

    /// All members of a set.
    public func sscan(_ key: String, match: String? = nil, pageSize: Int = 100) -> RedisScan<[UInt8]> {
        RedisScan(
            sender: self, name: "SSCAN", prefix: [RedisArgument(key)], options: scanOptions(match, pageSize), decode: { $0 })
    }

    /// All fields and values of a hash.
    public func hscan(_ key: String, match: String? = nil, pageSize: Int = 100) -> RedisScan<(field: [UInt8], value: [UInt8])> {
        RedisScan(sender: self, name: "HSCAN", prefix: [RedisArgument(key)], options: scanOptions(match, pageSize)) { elements in
            pairs(elements)?.map { (field: $0.0, value: $0.1) }
        }
    }

    /// All members and scores of a sorted set, in no order.
    public func zscan(_ key: String, match: String? = nil, pageSize: Int = 100) -> RedisScan<RedisScoredMember> {
        RedisScan(sender: self, name: "ZSCAN", prefix: [RedisArgument(key)], options: scanOptions(match, pageSize)) { elements in
            RedisValue.array(elements.map { .bulk($0) }).scoredMembers
        }
    }
}

private func scanOptions(_ match: String?, _ pageSize: Int) -> [RedisArgument] {
    let glob: [RedisArgument] = match.map { ["MATCH", RedisArgument($0)] } ?? []
    return glob + ["COUNT", RedisArgument(Swift.max(1, pageSize))]
}
