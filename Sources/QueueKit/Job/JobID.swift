internal import ScaleCore

/// The name under which a job is known from `enqueue` to its result, the same through all retries.
///
/// Any text of 1 to 255 bytes of UTF-8 (AMQP's short string); fresh ones are random UUIDs in lower case, as Celery's.
public struct JobID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    /// `nil` when the text is empty or longer than 255 bytes.
    public init?(rawValue: String) {
        guard (1...255).contains(rawValue.utf8.count) else { return nil }
        self.rawValue = rawValue
    }

    /// A random UUID (version 4).
    public init() {
        self.rawValue = RandomSource.system.uuid()
    }

    public var description: String { self.rawValue }

    /// Equality of the bytes, as every store compares them.
    public static func == (left: JobID, right: JobID) -> Bool { left.rawValue.hasSameBytes(as: right.rawValue) }

    public func hash(into hasher: inout Hasher) { self.rawValue.hashBytes(into: &hasher) }
}

extension JobID: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = JobID(rawValue: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a job id has 1 to 255 bytes")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.rawValue)
    }
}
