import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A server that speaks just enough of AMQP 0-9-1 to be signed in to, published to and consumed from, and that a test makes misbehave.
///
/// It confirms what is published, and delivers one message to each consumer. Each connection is served by a thread of its own.
///
/// `@unchecked Sendable`: what changes is only touched under `lock`.
public final class FakeAMQPServer: @unchecked Sendable {
    /// What the server is about to say.
    public enum Step: String, Hashable, Sendable, CaseIterable {
        case start, tune, openOK, channelOpenOK, confirmSelectOK, queueDeclareOK, consumeOK, confirm, deliver
    }

    /// What it says in place of that.
    public struct Misdeed: Sendable {
        public var bytes: [UInt8]
        /// Whether what it was about to say comes after that.
        public var thenGoesOn = false
        /// Whether it closes the connection after that.
        public var thenCloses = false

        public init(_ bytes: [UInt8], thenGoesOn: Bool = false, thenCloses: Bool = false) {
            self.bytes = bytes
            self.thenGoesOn = thenGoesOn
            self.thenCloses = thenCloses
        }
    }

    /// What the server honestly says, for misdeeds that are made of it.
    public typealias Mischief = @Sendable (_ step: Step, _ connection: Int, _ honest: [UInt8]) -> Misdeed?

    public let port: Int
    public var url: String { "amqp://guest:guest@127.0.0.1:\(self.port)/" }

    private let lock = NSLock()
    private let listener: Int32
    private var sockets: Set<Int32> = []
    private var connections = 0
    private var isEnded = false
    private let mischief: Mischief

    public init(_ mischief: @escaping Mischief) throws {
        self.mischief = mischief
        let listener = PrivateServer.makeSocket()
        self.listener = listener
        var address = PrivateServer.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(listener, raw, length) == 0 && getsockname(listener, raw, &length) == 0
            }
        }
        guard isBound, listen(listener, 64) == 0 else { throw PrivateServer.Failure(message: "no free port on 127.0.0.1") }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0, let self, let number = self.admit(socket) else {
                    #if !canImport(Darwin)
                    close(listener)
                    #endif
                    break
                }
                Thread.detachNewThread {
                    var session = Session(socket: socket, number: number, mischief: self.mischief)
                    try? session.serve()
                    self.forget(socket)
                }
            }
        }
    }

    /// Ends all connections and takes no more. A test calls it at its end.
    ///
    /// The listener is closed by the thread that accepts: were it closed here, that thread could accept on its number for another
    /// server that has got it meanwhile.
    public func end() {
        self.lock.withLock {
            self.isEnded = true
            for socket in self.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
        }
        #if canImport(Darwin)
        close(self.listener)
        #else
        shutdown(self.listener, Int32(SHUT_RDWR))
        #endif
    }

    /// The number of the connection; the first is 0.
    private func admit(_ socket: Int32) -> Int? {
        self.lock.withLock {
            guard !self.isEnded else {
                close(socket)
                return nil
            }
            self.sockets.insert(socket)
            defer { self.connections += 1 }
            return self.connections
        }
    }

    private func forget(_ socket: Int32) {
        self.lock.withLock {
            self.sockets.remove(socket)
            close(socket)
        }
    }
}

// MARK: - Bytes

extension FakeAMQPServer {
    /// A frame of `type` (1 method, 2 content header, 3 body, 8 heartbeat).
    public static func frame(type: UInt8, channel: UInt16 = 1, _ payload: [UInt8], end: UInt8 = 0xCE) -> [UInt8] {
        [type] + Self.short(channel) + Self.long(UInt32(payload.count)) + payload + [end]
    }

    public static func method(_ classID: UInt16, _ methodID: UInt16, channel: UInt16 = 1, _ arguments: [UInt8] = []) -> [UInt8] {
        Self.frame(type: 1, channel: channel, Self.short(classID) + Self.short(methodID) + arguments)
    }

    public static func short(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
    public static func long(_ value: UInt32) -> [UInt8] { Self.short(UInt16(value >> 16)) + Self.short(UInt16(value & 0xFFFF)) }
    public static func longLong(_ value: UInt64) -> [UInt8] { Self.long(UInt32(value >> 32)) + Self.long(UInt32(value & 0xFFFF_FFFF)) }
    public static func shortText(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
    public static func longText(_ bytes: [UInt8]) -> [UInt8] { Self.long(UInt32(bytes.count)) + bytes }

    /// A delivery's three frames; `headers` is the encoded table without its length.
    public static func delivery(consumer: String, tag: UInt64 = 1, headers: [UInt8], body: [UInt8]) -> [UInt8] {
        let method = Self.method(60, 60, Self.shortText(consumer) + Self.longLong(tag) + [0] + Self.shortText("") + Self.shortText("q"))
        return method + Self.contentHeader(bodySize: UInt64(body.count), headers: headers) + Self.frame(type: 3, body)
    }

    public static func contentHeader(bodySize: UInt64, headers: [UInt8]) -> [UInt8] {
        // Content type, headers.
        let properties = Self.short(0x8000 | 0x2000) + Self.shortText("application/json") + Self.longText(headers)
        return Self.frame(type: 2, Self.short(60) + Self.short(0) + Self.longLong(bodySize) + properties)
    }
}

// MARK: - A connection

private struct Session {
    typealias Server = FakeAMQPServer

    struct Ended: Error {}

    let socket: Int32
    let number: Int
    let mischief: Server.Mischief
    private var published: UInt64 = 0
    private var bodyLeft: UInt64?

    init(socket: Int32, number: Int, mischief: @escaping Server.Mischief) {
        self.socket = socket
        self.number = number
        self.mischief = mischief
    }

    mutating func serve() throws {
        _ = try self.read(8)
        let mechanisms = Server.longText(Array("PLAIN".utf8)) + Server.longText(Array("en_US".utf8))
        try self.say(.start, Server.method(10, 10, channel: 0, [0, 9] + Server.longText([]) + mechanisms))
        while true { try self.takeFrame() }
    }

    private mutating func takeFrame() throws {
        let head = try self.read(7)
        let size = head[3...6].reduce(0) { $0 << 8 | Int($1) }
        let payload = try self.read(size)
        _ = try self.read(1)
        switch head[0] {
        case 1 where payload.count >= 4: try self.answer(Self.number(payload[0..<2]), Self.number(payload[2..<4]), Array(payload[4...]))
        case 2 where payload.count >= 12:
            self.bodyLeft = payload[4..<12].reduce(0) { $0 << 8 | UInt64($1) }
            try self.confirmIfWhole()
        case 3:
            self.bodyLeft = self.bodyLeft.map { $0 - min($0, UInt64(size)) }
            try self.confirmIfWhole()
        default: break
        }
    }

    private mutating func confirmIfWhole() throws {
        guard self.bodyLeft == 0 else { return }
        self.bodyLeft = nil
        self.published += 1
        try self.say(.confirm, Server.method(60, 80, Server.longLong(self.published) + [0]))
    }

    private func answer(_ classID: UInt16, _ methodID: UInt16, _ arguments: [UInt8]) throws {
        switch (classID, methodID) {
        case (10, 11): try self.say(.tune, Server.method(10, 30, channel: 0, Server.short(2047) + Server.long(131_072) + Server.short(0)))
        case (10, 40): try self.say(.openOK, Server.method(10, 41, channel: 0, Server.shortText("")))
        case (20, 10): try self.say(.channelOpenOK, Server.method(20, 11, Server.longText([])))
        case (85, 10): try self.say(.confirmSelectOK, Server.method(85, 11))
        case (50, 10): try self.say(.queueDeclareOK, Server.method(50, 11, Server.shortText("q") + Server.long(0) + Server.long(0)))
        case (60, 20):
            let tag = Self.shortText(in: arguments.dropFirst(2), skipping: 1)
            try self.say(.consumeOK, Server.method(60, 21, Server.shortText(tag)))
            try self.say(.deliver, Server.delivery(consumer: tag, headers: [], body: Array("{}".utf8)))
        case (60, 30): try self.write(Server.method(60, 31, Server.shortText(Self.shortText(in: arguments[...], skipping: 0))))
        case (40, 10): try self.write(Server.method(40, 11))
        case (40, 30): try self.write(Server.method(40, 31))
        case (50, 20): try self.write(Server.method(50, 21))
        case (60, 10): try self.write(Server.method(60, 11))
        case (20, 40): try self.write(Server.method(20, 41))
        case (10, 50):
            try self.write(Server.method(10, 51, channel: 0))
            throw Ended()
        default: break
        }
    }

    private func say(_ step: Server.Step, _ honest: [UInt8]) throws {
        guard let misdeed = self.mischief(step, self.number, honest) else { return try self.write(honest) }
        try self.write(misdeed.bytes)
        if misdeed.thenGoesOn { try self.write(honest) }
        if misdeed.thenCloses { throw Ended() }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt16 { bytes.reduce(0) { $0 << 8 | UInt16($1) } }

    private static func shortText(in bytes: ArraySlice<UInt8>, skipping count: Int) -> String {
        var rest = bytes
        for _ in 0..<count { rest = rest.dropFirst(1 + Int(rest.first ?? 0)) }
        return String(decoding: rest.dropFirst().prefix(Int(rest.first ?? 0)), as: UTF8.self)
    }

    private func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let received = bytes.withUnsafeMutableBytes { recv(self.socket, $0.baseAddress?.advanced(by: filled), count - filled, 0) }
            guard received > 0 else { throw Ended() }
            filled += received
        }
        return bytes
    }

    private func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            #if canImport(Darwin)
            let flags: Int32 = 0
            #else
            let flags = Int32(MSG_NOSIGNAL)
            #endif
            let count = bytes.withUnsafeBytes { send(self.socket, $0.baseAddress?.advanced(by: sent), bytes.count - sent, flags) }
            guard count > 0 else { throw Ended() }
            sent += count
        }
    }
}
