internal import QueueKit

/// Declares queues exactly as Celery does, so that either side may come first.
struct QueueTopology: Sendable {
    let kind: RabbitMQBroker.QueueKind
    let maximumPriority: Int?
    let deadLetterSuffix: String
    /// One declaration at a time: RabbitMQ answers two of one quorum queue, at once, with an internal error.
    private let turnstile = Turnstile()

    init(kind: RabbitMQBroker.QueueKind, maximumPriority: Int?, deadLetterSuffix: String) {
        self.kind = kind
        self.maximumPriority = maximumPriority
        self.deadLetterSuffix = deadLetterSuffix
    }

    /// A name that would be too long with its ending is given by its beginning and its FNV-1a in 64 bits (Fowler, Noll and Vo): a message
    /// that cannot be buried would come for ever.
    func deadLetterQueue(of queue: String) -> String {
        let name = queue + self.deadLetterSuffix
        guard name.utf8.count > 255 else { return name }
        let hash = queue.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let ending = "~" + String(hash, radix: 16) + self.deadLetterSuffix
        var beginning = queue.unicodeScalars.prefix(255)
        while !beginning.isEmpty, String(beginning).utf8.count + ending.utf8.count > 255 { beginning.removeLast() }
        return String(beginning) + ending
    }

    /// A direct exchange and a queue of one name, both durable, bound by that name.
    func declare(_ queue: String, on connection: AMQPConnection) async throws {
        let arguments = self.arguments
        try await self.turnstile.run {
            try await connection.declareExchange(queue, type: "direct")
            try await connection.declareQueue(queue, arguments: arguments)
            try await connection.bindQueue(queue, to: queue, key: queue)
        }
    }

    /// Where messages are kept that are out of circulation.
    func declareDeadLetters(of queue: String, on connection: AMQPConnection) async throws {
        try await self.turnstile.run {
            try await connection.declareQueue(self.deadLetterQueue(of: queue), arguments: self.kindArguments)
        }
    }

    /// With which a queue of jobs is declared.
    var arguments: JSONObject {
        var arguments = self.kindArguments
        if let maximumPriority, self.kind == .classic { arguments["x-max-priority"] = .integer(Int64(maximumPriority)) }
        return arguments
    }

    private var kindArguments: JSONObject {
        switch self.kind {
        case .classic: [:]
        case .quorum: ["x-queue-type": "quorum"]
        }
    }
}
