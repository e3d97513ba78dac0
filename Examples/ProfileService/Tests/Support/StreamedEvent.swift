import ScaleTesting

@testable import ProfileService

/// One block of an event stream.
struct StreamedEvent: Equatable, Sendable {
    var name: String?
    var id: String?
    var data: [String] = []
    var retry: String?

    init(_ block: String) {
        for line in block.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? String(parts[1].hasPrefix(" ") ? parts[1].dropFirst() : parts[1]) : ""
            switch parts[0] {
            case "event": self.name = value
            case "id": self.id = value
            case "data": self.data.append(value)
            case "retry": self.retry = value
            default: break
            }
        }
    }

    /// A comment, which says nothing.
    var isHeartbeat: Bool { self == StreamedEvent("") }
}

extension HTTPConversation.Speaker {
    /// The next event of a stream whose head was read; nil at its end.
    mutating func event() async throws -> StreamedEvent? {
        while true {
            if let end = self.streamed.firstIndex(of: [10, 10]) {
                defer { self.streamed.removeFirst(end + 2) }
                return StreamedEvent(String(decoding: self.streamed[..<end], as: UTF8.self))
            }
            let chunk = try await self.chunk()
            if chunk.isEmpty { return nil }
            self.streamed += chunk
        }
    }

    /// Begins to listen, and reads what every stream begins with.
    @discardableResult
    mutating func listen(saying lines: String = "") async throws -> HTTPConversation.Answer {
        try await self.send("GET /live HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
        let head = try await self.answerHead()
        guard head.status == 200 else { throw TestFailure("the stream was answered \(head.status)") }
        guard let greeting = try await self.event(), greeting.retry != nil else { throw TestFailure("no greeting") }
        return head
    }

    /// The next event that says something.
    mutating func news() async throws -> StreamedEvent {
        while let event = try await self.event() {
            if !event.isHeartbeat { return event }
        }
        throw TestFailure("the stream has ended")
    }
}

extension ServiceUnderTest {
    /// Waits until every instance hears of changes.
    func hearing() async throws {
        for feed in self.demo.feeds { try await feed.hearing.value() }
    }
}
