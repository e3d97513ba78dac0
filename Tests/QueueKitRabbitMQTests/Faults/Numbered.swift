import Foundation
import Logging
import QueueKit
import QueueKitRabbitMQ
import ScaleCore
import ScaleTesting

/// Messages that are told apart by a number.
enum Numbered {
    static let queue = "numbers"

    static func message(_ number: Int, body: [UInt8] = Array("{}".utf8)) -> Message {
        var properties = Message.Properties()
        properties.contentType = "application/json"
        return Message(headers: ["task": "t", "id": "1", "number": .integer(Int64(number))], properties: properties, body: body)
    }

    static func number(of delivery: Delivery) -> Int {
        Int(clamping: delivery.message.headers["number"]?.integerValue ?? -1)
    }

    static func request(waits: Bool = true, limit: Int = 1) -> ReceiveRequest {
        ReceiveRequest(queues: [Self.queue], limit: limit, lease: .seconds(600), owner: "test", waits: waits)
    }

    static func publish(_ numbers: some Sequence<Int> & Sendable, with broker: RabbitMQBroker) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in numbers {
                group.addTask { try await broker.publish(Self.message(number), to: Self.queue, notBefore: nil) }
            }
            try await group.waitForAll()
        }
    }

    /// Receives and acknowledges until all numbers have come, once or more often.
    static func receiveAll(_ numbers: Set<Int>, from broker: RabbitMQBroker, file: String = #fileID, line: Int = #line) async throws {
        var missing = numbers
        try await eventually(within: .seconds(300), "all numbers come; \(missing.count) are missing", file: file, line: line) {
            for delivery in try await broker.receive(Self.request(waits: false, limit: 100)) {
                missing.remove(Self.number(of: delivery))
                try await Self.acknowledge(delivery, at: broker)
            }
            return missing.isEmpty
        }
    }

    /// Acknowledges a message, unless its connection was lost meanwhile: then it comes again.
    static func acknowledge(_ delivery: Delivery, at broker: RabbitMQBroker) async throws {
        do {
            try await broker.acknowledge(delivery.lease)
        } catch let error as QueueError where error.code == .staleLease {}
    }
}

/// Remembers what was logged.
struct RecordingLog: LogHandler {
    let lines = RecordedFacts<String>()
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.lines.record("\(event.message) \(event.metadata ?? [:])")
    }

    /// A logger whose lines can be read.
    static func make() -> (logger: Logger, lines: RecordedFacts<String>) {
        let log = RecordingLog()
        return (Logger(label: "test", factory: { _ in log }), log.lines)
    }
}
