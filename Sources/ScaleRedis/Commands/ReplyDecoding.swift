import ScaleCore

extension RedisCommandSender {
    /// Sends a typed command and reads its reply with `decode`; nil from it is a reply of the wrong type.
    func call<Output>(
        _ name: String, _ arguments: [RedisArgument], wanted: String, _ decode: (RedisValue) -> Output?
    ) async throws -> Output {
        let reply = try await self.send(RedisCommand(name, arguments))
        guard let output = decode(reply) else { throw RedisError.unexpected(reply, command: name, wanted: wanted) }
        return output
    }

    func callInteger(_ name: String, _ arguments: [RedisArgument]) async throws -> Int64 {
        try await self.call(name, arguments, wanted: "integer") { reply in
            if case .integer(let value) = reply { value } else { nil }
        }
    }

    func callCount(_ name: String, _ arguments: [RedisArgument]) async throws -> Int {
        Int(clamping: try await self.callInteger(name, arguments))
    }

    /// An integer reply that says yes (not 0) or no.
    func callFlag(_ name: String, _ arguments: [RedisArgument]) async throws -> Bool {
        try await self.callInteger(name, arguments) != 0
    }

    /// A bulk string or null.
    func callBytes(_ name: String, _ arguments: [RedisArgument]) async throws -> [UInt8]? {
        try await self.call(name, arguments, wanted: "bulk string") { reply -> [UInt8]?? in
            switch reply {
            case .bulk(let bytes): .some(bytes)
            case .null: .some(nil)
            case .status, .integer, .array, .error: nil
            }
        }
    }

    /// An array of bulk strings; a null array is an empty one.
    func callList(_ name: String, _ arguments: [RedisArgument]) async throws -> [[UInt8]] {
        try await self.call(name, arguments, wanted: "array of bulk strings") { $0.byteStrings }
    }

    /// An array of bulk strings and nulls.
    func callOptionals(_ name: String, _ arguments: [RedisArgument]) async throws -> [[UInt8]?] {
        try await self.call(name, arguments, wanted: "array of bulk strings") { reply in
            guard case .array(let elements) = reply else { return nil }
            return elements.map(\.bytes)
        }
    }

    /// A status such as `OK`.
    func callStatus(_ name: String, _ arguments: [RedisArgument]) async throws {
        try await self.call(name, arguments, wanted: "status") { reply in
            if case .status = reply { () } else { nil }
        }
    }
}

extension RedisValue {
    /// The elements of an array of bulk strings; nil when it is something else.
    var byteStrings: [[UInt8]]? {
        switch self {
        case .null: return []
        case .array(let elements):
            var strings: [[UInt8]] = []
            strings.reserveCapacity(elements.count)
            for element in elements {
                guard let bytes = element.bytes else { return nil }
                strings.append(bytes)
            }
            return strings
        case .status, .integer, .bulk, .error: return nil
        }
    }

    /// A number that the server writes as text: a finite decimal, or `inf`, `-inf`.
    var double: Double? {
        switch self {
        case .bulk(let bytes): Double(String(decoding: bytes, as: UTF8.self))
        case .status(let text): Double(text)
        case .integer(let value): Double(value)
        case .null, .array, .error: nil
        }
    }
}

/// A duration as Redis takes it: whole milliseconds, rounded up, so that a short time never becomes none.
func milliseconds(_ duration: Duration) -> RedisArgument {
    RedisArgument(duration.wholeMillisecondsRoundedUp)
}
