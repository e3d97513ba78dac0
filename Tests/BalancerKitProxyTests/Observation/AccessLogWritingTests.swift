import Foundation
import Logging
import NIOPosix
import ScaleCore
import ScaleTesting
import Testing

@testable import BalancerKitProxy

@Suite struct AccessLogWritingTests {
    // MARK: The queue

    @Test func `lines beyond the bound are dropped and counted, and one writer has them all`() {
        var queue = AccessLogQueue(capacity: 10)
        var begins: [Bool] = []
        for line in ["abc\n", "defgh\n", "\n", "0123456789\n"] { begins.append(queue.add(Array(line.utf8))) }
        let first = queue.next()
        // While that is written more may come, and the same writer takes it.
        begins.append(queue.add(Array("k\n".utf8)))
        #expect(first == Array("abc\ndefgh\n".utf8))
        var reports = [queue.ended(first ?? [], written: 10, 0)]
        let second = queue.next()
        reports.append(queue.ended(second ?? [], written: 2, 0))
        let third = queue.next()
        #expect(second == Array("k\n".utf8) && third == nil)
        #expect(reports == [.init(lost: 2), .init()])
        begins.append(queue.add(Array("l\n".utf8)))
        #expect(begins == [true, false, false, false, false, true])
    }

    @Test func `a failure is told once, its lines are counted, and a torn line is ended before the next`() {
        var queue = AccessLogQueue(capacity: 100)
        func write(_ text: String, _ written: Int, _ failure: Int32) -> (String, AccessLogQueue.Report) {
            _ = queue.add(Array(text.utf8))
            let lines = queue.next() ?? []
            defer { _ = queue.next() }
            return (String(decoding: lines, as: UTF8.self), queue.ended(lines, written: written, failure))
        }
        func expect(_ outcome: (String, AccessLogQueue.Report), _ lines: String, _ report: AccessLogQueue.Report) {
            #expect(outcome.0 == lines && outcome.1 == report)
        }
        expect(write("abc\ndef\nghi\n", 6, 28), "abc\ndef\nghi\n", .init(failure: 28))
        // The same failure again; nothing of this is in the file.
        expect(write("jkl\n", 0, 28), "\njkl\n", .init())
        expect(write("mno\n", 0, 5), "\nmno\n", .init(failure: 5))
        expect(write("pqr\n", 5, 0), "\npqr\n", .init(lost: 4))
        expect(write("stu\n", 4, 0), "stu\n", .init())
        expect(write("vwx\n", 0, 28), "vwx\n", .init(failure: 28))
    }

    @Test func `who gives up learns what was lost, held, and on its way`() {
        var queue = AccessLogQueue(capacity: 4)
        _ = queue.add(Array("a\n".utf8))
        let flying = queue.next() ?? []
        for line in ["b\n", "c\n", "d\n"] { _ = queue.add(Array(line.utf8)) }
        var lost = [queue.giveUp()]
        lost.append(queue.giveUp())
        #expect(lost == [4, 0])
        let begins = queue.add(Array("e\n".utf8))
        #expect(!begins)
        let report = queue.ended(flying, written: 0, 5)
        let next = queue.next()
        #expect(report == .init() && next == nil && !queue.isWriting)
    }

    // MARK: A disk that hangs

    /// Takes nothing until it is told to.
    private final class HungSink: AccessLogSink {
        let gate = DispatchSemaphore(value: 0)
        let calls = Locked(0)

        func append(_ lines: [UInt8]) -> (count: Int, failure: Int32) {
            self.calls.withLock { $0 += 1 }
            self.gate.wait()
            return (lines.count, 0)
        }
    }

    private static func log(_ facts: RecordedFacts<String>) -> ProxyLog { ProxyLog(Logger(label: "test") { _ in LineHandler(facts) }) }

    @Test func `the end waits for a disk that hangs no longer than it may, and counts the lines`() async throws {
        let (sink, facts) = (HungSink(), RecordedFacts<String>())
        let file = AccessLogFile("/hung", Self.log(facts)) { (_: String) throws(ProxyError) in sink }
        let logs = AccessLogs(files: [file])
        try await logs.open()
        file.add(Array("a\n".utf8))
        try await eventually("a write hangs") { sink.calls.withLock { $0 } == 1 }
        for _ in 0..<2 { file.add(Array("b\n".utf8)) }
        let end = PendingCall { await logs.end(within: .milliseconds(1), on: MultiThreadedEventLoopGroup.singleton.next()) }
        try await end.value()
        #expect(facts.all == ["lines of the access log were lost /hung 3"])
        sink.gate.signal()
        // What comes afterwards is neither held nor written.
        file.add(Array("c\n".utf8))
        await file.flush()
        #expect(sink.calls.withLock { $0 } == 1)
    }

    @Test func `of two openings the later one stands, whichever ends first`() async throws {
        let (gate, facts) = (DispatchSemaphore(value: 0), RecordedFacts<String>())
        let opened = Locked(0)
        final class Named: AccessLogSink {
            let (name, facts): (Int, RecordedFacts<String>)
            init(_ name: Int, _ facts: RecordedFacts<String>) { (self.name, self.facts) = (name, facts) }
            func append(_ lines: [UInt8]) -> (count: Int, failure: Int32) {
                self.facts.record("\(self.name)")
                return (lines.count, 0)
            }
        }
        let file = AccessLogFile("/file", Self.log(facts)) { (_: String) throws(ProxyError) in
            let number = opened.withLock { number in
                number += 1
                return number
            }
            if number == 1 { gate.wait() }
            return Named(number, facts)
        }
        let logs = AccessLogs(files: [file])
        let first = PendingCall { try await logs.open() }
        try await eventually("the first has begun") { opened.withLock { $0 } == 1 }
        try await logs.open()
        gate.signal()
        try await first.value()
        file.add(Array("a\n".utf8))
        await file.flush()
        #expect(facts.all == ["2"])
    }

    @Test func `who waits for a file that does not open can be cancelled`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let file = AccessLogFile("/hung", Self.log(RecordedFacts())) { (_: String) throws(ProxyError) in
            gate.wait()
            throw ProxyError(code: .unwritableLog, message: "too late")
        }
        let logs = AccessLogs(files: [file])
        let opening = Task { try await logs.open() }
        opening.cancel()
        let error = await #expect(throws: ProxyError.self) { try await opening.value }
        #expect(error?.code == .stopped)
        gate.signal()
    }

    // MARK: What is no file

    @Test func `a pipe gets whole lines, and one that is full costs those that it does not take`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-fifo-\(UUID().uuidString)").path
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        // Nobody reads: this is an error, and nothing to wait for.
        let error = #expect(throws: ProxyError.self) { try AccessLogDescriptor(path) }
        #expect(error?.code == .unwritableLog && error?.place == path)
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let descriptor = try AccessLogDescriptor(path)
        let line = Array((String(repeating: "x", count: 99) + "\n").utf8)
        let lines = Array(repeatElement(line, count: 3000).joined())
        let (count, failure) = descriptor.append(lines)
        #expect(failure == EAGAIN && count > 0 && count < lines.count && count % line.count == 0)
    }
}

private struct LineHandler: LogHandler {
    let facts: RecordedFacts<String>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(_ facts: RecordedFacts<String>) { self.facts = facts }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.facts.record(
            ([event.message.description] + ["file", "count"].compactMap { event.metadata?[$0]?.description }).joined(separator: " "))
    }
}
