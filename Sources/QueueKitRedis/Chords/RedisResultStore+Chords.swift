package import QueueKit
internal import ScaleCore
internal import ScaleRedis

extension RedisResultStore: ChordKeepingStore {
    /// How long whoever made a chord's number full may take to send its body, before another one may.
    private static let claimMilliseconds: Int64 = 60_000
    /// How long late reports of a chord that is over are known as such. Longer than messages stay away as a rule.
    private static let doneSeconds: Int64 = 3600

    package func prepare(_ plan: ChordPlan) async throws {
        let keys = self.chordKeys(of: plan.group)
        let shape = plan.shape.map { JSONValue.object(["result": $0]).jsonBytes() } ?? []
        _ = try await self.run(
            ChordScript.prepare, [keys.claim, keys.size, keys.group],
            [RedisArgument(plan.size), RedisArgument(shape), RedisArgument(self.retentionSeconds)])
    }

    package func report(_ part: ChordPart, claim: String) async throws -> ChordReport {
        let keys = self.chordKeys(of: part.member.group)
        let value = part.json.jsonBytes()
        guard value.count <= self.maximumBytes else {
            throw QueueError(
                code: .messageTooLarge, message: "the part has \(value.count) bytes, the limit is \(self.maximumBytes)",
                job: part.member.job)
        }
        let index = part.member.index.map(String.init) ?? "+inf"
        let reply = try await self.run(
            ChordScript.report, [keys.parts, keys.added, keys.size, keys.counted, keys.group, keys.claim],
            [
                RedisArgument(part.member.job.rawValue), RedisArgument(value), self.configuration.ordersChordParts ? 1 : 0,
                RedisArgument(index), RedisArgument(self.retentionSeconds), RedisArgument(claim), RedisArgument(Self.claimMilliseconds),
                RedisArgument(self.maximumBytes),
            ])
        guard case .array(let fields) = reply, case .integer(let count)? = fields.first else {
            throw self.unexpectedReply(for: part.member.job)
        }
        if count == -1 { return .over }
        if count == -2 { return .unreadable(reason: "the chord's keys hold something else") }
        guard fields.count > 1, case .integer(let size) = fields[1] else { throw self.unexpectedReply(for: part.member.job) }
        if fields.count == 2 {
            return .counted(ended: Int(clamping: count), size: size < 0 ? nil : Int(clamping: size))
        }
        return self.complete(fields[2...])
    }

    private func complete(_ fields: ArraySlice<RedisValue>) -> ChordReport {
        guard case .array(let values)? = fields.first else {
            return .unreadable(reason: "the parts are longer than \(self.maximumBytes) bytes together")
        }
        var parts: [JSONValue] = []
        for value in values {
            guard let part = value.bytes.flatMap({ try? JSONParser.parse($0, limits: self.configuration.limits) }) else {
                return .unreadable(reason: "one of the parts cannot be read")
            }
            parts.append(part)
        }
        guard let saved = fields.last?.bytes, !saved.isEmpty else { return .complete(parts: parts, shape: nil) }
        guard let shape = (try? JSONParser.parse(saved, limits: self.configuration.limits))?.objectValue?["result"] else {
            return .unreadable(reason: "the saved group cannot be read")
        }
        return .complete(parts: parts, shape: shape)
    }

    package func renew(_ claim: String, of group: String) async throws -> Bool {
        let keys = self.chordKeys(of: group)
        let reply = try await self.run(
            ChordScript.renew, [keys.claim, keys.size], [RedisArgument(claim), RedisArgument(Self.claimMilliseconds)])
        return reply.integer == 1
    }

    package func finish(_ group: String, claim: String) async throws {
        let keys = self.chordKeys(of: group)
        _ = try await self.run(
            ChordScript.finish, [keys.claim, keys.parts, keys.added, keys.size, keys.counted],
            [RedisArgument(claim), RedisArgument(Self.doneSeconds)])
    }

    package func giveUp(_ claim: String, of group: String) async throws {
        _ = try await self.run(ChordScript.giveUp, [self.chordKeys(of: group).claim], [RedisArgument(claim)])
    }

    private func chordKeys(of group: String) -> ChordKeys { ChordKeys(group: group, prefix: self.keys.globalPrefix) }
}
