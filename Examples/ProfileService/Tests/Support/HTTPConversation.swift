import NIOCore
import NIOPosix
import ScaleTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A TCP connection that sends exactly the given bytes and reads answers one by one.
///
/// Contract tests speak HTTP by hand, since a client library would not send what must be refused.
enum HTTPConversation {
    /// A bound and not a wait: far beyond what a busy machine needs.
    private static let limit = Duration.seconds(120)

    struct Answer: Sendable {
        var status: Int
        /// Names in lower case, in the order of the lines.
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func header(_ name: String) -> String? {
            self.headers.first { $0.name == name.lowercased() }?.value
        }

        var text: String { String(decoding: self.body, as: UTF8.self) }
    }

    /// Connects, gives the conversation to `body`, and closes.
    ///
    /// - Parameter address: the loopback address to come from; by default 127.0.0.1.
    static func with<Result: Sendable>(
        port: Int, from address: String? = nil, _ body: @escaping @Sendable (inout Speaker) async throws -> Result
    ) async throws -> Result {
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
        if let address { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: address, port: 0)) }
        let channel =
            try await bootstrap
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask {
                try await channel.executeThenClose { inbound, outbound in
                    let (bytes, continuation) = AsyncStream<ByteBuffer>.makeStream()
                    async let pump: Void = Self.pump(inbound, into: continuation)
                    var speaker = Speaker(inbound: bytes.makeAsyncIterator(), outbound: outbound)
                    let result = try await body(&speaker)
                    channel.channel.close(promise: nil)
                    await pump
                    return result
                }
            }
            group.addTask {
                try await Task.sleep(for: Self.limit)
                throw TestFailure("no answer within \(Self.limit)")
            }
            guard let result = try await group.next() else { throw TestFailure("the conversation had no result") }
            group.cancelAll()
            return result
        }
    }

    private static func pump(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, into bytes: AsyncStream<ByteBuffer>.Continuation) async {
        do {
            for try await buffer in inbound { bytes.yield(buffer) }
        } catch {
            // The connection was reset: what came before is all there is.
        }
        bytes.finish()
    }

    /// One side of the conversation.
    struct Speaker {
        fileprivate var inbound: AsyncStream<ByteBuffer>.AsyncIterator
        fileprivate let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        private var received: [UInt8] = []
        /// What has come of a stream of events, as far as it is not read.
        var streamed: [UInt8] = []

        fileprivate init(
            inbound: AsyncStream<ByteBuffer>.AsyncIterator, outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        ) {
            self.inbound = inbound
            self.outbound = outbound
        }

        mutating func send(_ bytes: some Sequence<UInt8>) async throws {
            try await self.outbound.write(ByteBuffer(bytes: bytes))
        }

        mutating func send(_ text: String) async throws {
            try await self.send(text.utf8)
        }

        /// The next whole answer; `hasBody` is false for the answer to a HEAD request.
        mutating func answer(hasBody: Bool = true) async throws -> Answer {
            var answer = try await self.answerHead()
            if hasBody, answer.status != 204, answer.status >= 200 {
                if let length = answer.header("content-length").flatMap({ Int($0) }) {
                    answer.body = try await self.take(length)
                } else if answer.header("transfer-encoding")?.lowercased() == "chunked" {
                    answer.body = try await self.chunks()
                }
            }
            return answer
        }

        /// The next answer's head alone.
        mutating func answerHead() async throws -> Answer {
            let head = try await self.head()
            var lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)
            guard let statusLine = lines.first, let status = Int(statusLine.split(separator: " ").dropFirst().first ?? "") else {
                throw TestFailure("no status line")
            }
            lines.removeFirst()
            let headers = lines.map { line -> (name: String, value: String) in
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                return (parts[0].lowercased(), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
            }
            return Answer(status: status, headers: headers, body: [])
        }

        /// What still comes until the other side closes.
        mutating func rest() async throws -> String {
            while try await self.fill() {}
            defer { self.received = [] }
            return String(decoding: self.received, as: UTF8.self)
        }

        /// Whether the other side has closed; reads what it still sends.
        mutating func isClosed() async throws -> Bool {
            while try await self.fill() {}
            return true
        }

        private mutating func head() async throws -> String {
            let end = Array("\r\n\r\n".utf8)
            while true {
                if let index = self.received.firstIndex(of: end) {
                    let head = String(decoding: self.received[..<index], as: UTF8.self)
                    self.received.removeFirst(index + end.count)
                    return head
                }
                guard try await self.fill() else { throw TestFailure("closed before a whole head; got \(self.received.count) bytes") }
            }
        }

        private mutating func take(_ count: Int) async throws -> [UInt8] {
            while self.received.count < count {
                guard try await self.fill() else { throw TestFailure("closed within a body") }
            }
            defer { self.received.removeFirst(count) }
            return Array(self.received.prefix(count))
        }

        private mutating func chunks() async throws -> [UInt8] {
            var body: [UInt8] = []
            while true {
                let chunk = try await self.chunk()
                if chunk.isEmpty { return body }
                body += chunk
            }
        }

        /// The next chunk; the last one is empty.
        mutating func chunk() async throws -> [UInt8] {
            while self.received.firstIndex(of: [13, 10]) == nil {
                guard try await self.fill() else { throw TestFailure("closed within a chunked body") }
            }
            let lineEnd = self.received.firstIndex(of: [13, 10]) ?? 0
            let size = Int(String(decoding: self.received[..<lineEnd], as: UTF8.self), radix: 16) ?? 0
            self.received.removeFirst(lineEnd + 2)
            let chunk = try await self.take(size)
            _ = try await self.take(2)
            return chunk
        }

        private mutating func fill() async throws -> Bool {
            guard let buffer = await self.inbound.next(isolation: #isolation) else { return false }
            self.received += buffer.readableBytesView
            return true
        }
    }
}

extension Array where Element == UInt8 {
    /// Where `pattern` first begins.
    func firstIndex(of pattern: [UInt8]) -> Int? {
        guard let first = pattern.first else { return 0 }
        // By the C library, since a loop over many bytes takes its time in a debug build.
        return self.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return nil }
            var offset = 0
            while offset + pattern.count <= bytes.count,
                let found = memchr(start + offset, Int32(first), bytes.count - offset - pattern.count + 1)
            {
                offset = start.distance(to: found)
                if memcmp(found, pattern, pattern.count) == 0 { return offset }
                offset += 1
            }
            return nil
        }
    }
}
