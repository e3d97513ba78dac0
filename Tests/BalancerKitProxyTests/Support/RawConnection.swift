import NIOCore
import NIOPosix
import ScaleCore
import ScaleTesting

/// A TCP connection for tests: sends given bytes, collects what comes, and knows how the other side ended it.
final class RawConnection: Sendable {
    enum End: Equatable, Sendable {
        case open
        case closed
        case reset
    }

    fileprivate struct State {
        var received: [UInt8] = []
        var taken = 0
        var end = End.open
        /// Whether the other side sends no more, where that is not the connection's end.
        var hasEndedInput = false
    }

    private let channel: any Channel
    fileprivate let state: RawState

    fileprivate init(_ channel: any Channel, _ state: RawState) {
        self.channel = channel
        self.state = state
    }

    /// - Parameter prepare: puts handlers in front, such as TLS.
    static func connect(
        _ port: Int, host: String = "127.0.0.1", prepare: @escaping @Sendable (any Channel) throws -> Void = { _ in }
    ) async throws -> RawConnection {
        let state = RawState()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try prepare(channel)
                    try channel.pipeline.syncOperations.addHandler(RawHandler(state))
                }
            }
            .connect(host: host, port: port).get()
        return RawConnection(channel, state)
    }

    static func connect(unixSocket path: String) async throws -> RawConnection {
        let state = RawState()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(RawHandler(state)) }
            }
            .connect(unixDomainSocketPath: path).get()
        return RawConnection(channel, state)
    }

    static func accepted(_ channel: any Channel) throws -> RawConnection {
        let state = RawState()
        try channel.pipeline.syncOperations.addHandler(RawHandler(state))
        return RawConnection(channel, state)
    }

    func send(_ text: String) async throws {
        try await self.channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    /// Sends without waiting for the other side to take it.
    func sendLater(_ bytes: [UInt8]) {
        self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func close() async {
        try? await self.channel.close().get()
    }

    /// Closes without waiting for it.
    func closeLater() {
        self.channel.close(promise: nil)
    }

    /// Closes the write side only.
    func finishSending() async {
        try? await self.channel.close(mode: .output).get()
    }

    /// Takes a little from the kernel, while reading is stopped.
    func readOnce() {
        self.channel.read()
    }

    /// From now on the other side may end its half, and this one goes on.
    func allowHalfClosure() async throws {
        try await self.channel.setOption(.allowRemoteHalfClosure, value: true).get()
    }

    /// Whether the other side has ended its half.
    var hasSeenEnd: Bool { self.state.value.withLock { $0.hasEndedInput } }

    /// Stops or resumes taking bytes from the kernel.
    func setReading(_ isOn: Bool) async throws {
        try await self.channel.setOption(.autoRead, value: isOn).get()
        if isOn { self.channel.read() }
    }

    /// Everything that has come, what was taken included.
    var received: [UInt8] { self.state.value.withLock { $0.received } }
    var text: String { String(decoding: self.received, as: UTF8.self) }
    var end: End { self.state.value.withLock { $0.end } }

    /// The next whole response, as framed by its head.
    func response(toHead isHead: Bool = false, file: String = #fileID, line: Int = #line) async throws -> RawResponse {
        try await eventually(
            "a whole response on the connection, not only: \(self.text.prefix(300).debugDescription)", file: file, line: line
        ) {
            self.state.value.withLock { state -> RawResponse? in
                guard let response = RawResponse(state.received[state.taken...], isHead: isHead, isAtEnd: state.end != .open) else {
                    return nil
                }
                state.taken += response.length
                return response
            }
        }
    }

    /// Waits until the other side has ended the connection; tells how.
    @discardableResult
    func untilEnd(file: String = #fileID, line: Int = #line) async throws -> End {
        try await eventually("the connection ends, after \(self.text.suffix(200).debugDescription)", file: file, line: line) {
            self.end != .open
        }
        return self.end
    }

    /// Waits until a text has come.
    func until(_ text: String, file: String = #fileID, line: Int = #line) async throws {
        try await eventually("\(text.debugDescription) in \(self.text.debugDescription)", file: file, line: line) {
            self.text.contains(text)
        }
    }
}

private final class RawState: Sendable {
    let value = Locked(RawConnection.State())
}

private final class RawHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    let state: RawState

    init(_ state: RawState) {
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = self.unwrapInboundIn(data)
        // As one piece of memory: a buffer's view would be gone through byte by byte, which a sanitizer makes minutes of megabytes.
        buffer.withUnsafeReadableBytes { bytes in self.state.value.withLock { $0.received.append(contentsOf: bytes) } }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { self.state.value.withLock { $0.hasEndedInput = true } }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.state.value.withLock { if $0.end == .open { $0.end = .reset } }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.state.value.withLock { if $0.end == .open { $0.end = .closed } }
    }
}

/// A response, read naively.
struct RawResponse: Sendable {
    let status: Int
    let head: String
    let body: String
    let length: Int

    /// - Parameter isAtEnd: whether no more bytes will come, so that a body without framing is whole.
    init?(_ bytes: ArraySlice<UInt8>, isHead: Bool, isAtEnd: Bool) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let headEnd = text.range(of: "\r\n\r\n") else { return nil }
        let head = String(text[..<headEnd.upperBound])
        let rest = String(text[headEnd.upperBound...])
        guard let status = head.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        let length: Int
        if isHead || status == 204 || status == 304 || status < 200 {
            length = 0
        } else if let value = RawMessage.field("Content-Length", in: head), let number = Int(value) {
            length = number
        } else if RawMessage.field("Transfer-Encoding", in: head) != nil {
            guard let end = rest.range(of: "0\r\n\r\n", after: { $0.hasPrefix("0\r\n") || $0.hasSuffix("\r\n") }) else { return nil }
            length = rest[..<end].utf8.count
        } else {
            guard isAtEnd else { return nil }
            length = rest.utf8.count
        }
        guard rest.utf8.count >= length else { return nil }
        self.status = status
        self.head = head
        self.body = String(decoding: Array(rest.utf8)[..<length], as: UTF8.self)
        self.length = head.utf8.count + length
    }

    func field(_ name: String) -> String? { RawMessage.field(name, in: self.head) }
    func fields(_ name: String) -> [String] { RawMessage.fields(name, in: self.head) }
}

enum RawMessage {
    static func fields(_ name: String, in head: String) -> [String] {
        head.split(separator: "\r\n").compactMap { line in
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name.lowercased() else { return nil }
            return line[line.index(after: colon)...].trimmingBlanks
        }
    }

    static func field(_ name: String, in head: String) -> String? { Self.fields(name, in: head).first }
}

extension StringProtocol {
    fileprivate var trimmingBlanks: String {
        String(self.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}

extension String {
    /// The first occurrence, by bytes.
    func range(of needle: String) -> Range<String.Index>? {
        guard let start = self.offset(of: Array(needle.utf8), from: 0) else { return nil }
        let view = self.utf8
        let lower = view.index(view.startIndex, offsetBy: start)
        return lower..<view.index(lower, offsetBy: needle.utf8.count)
    }

    /// Where a chunked body ends: behind the last chunk and its empty trailer section.
    fileprivate func range(of needle: String, after isBoundary: (String) -> Bool) -> String.Index? {
        let bytes = Array(self.utf8)
        var index = 0
        while let lineEnd = Self.find([13, 10], bytes, index) {
            guard let size = Int(String(decoding: bytes[index..<lineEnd], as: UTF8.self), radix: 16) else { return nil }
            index = lineEnd + 2 + size + 2
            guard index <= bytes.count else { return nil }
            if size == 0 { return self.utf8.index(self.utf8.startIndex, offsetBy: index) }
        }
        return nil
    }

    private func offset(of needle: [UInt8], from start: Int) -> Int? { Self.find(needle, Array(self.utf8), start) }

    private static func find(_ needle: [UInt8], _ bytes: [UInt8], _ start: Int) -> Int? {
        guard start >= 0, bytes.count >= start + needle.count else { return nil }
        for index in start...(bytes.count - needle.count) where bytes[index..<(index + needle.count)].elementsEqual(needle) {
            return index
        }
        return nil
    }
}
