import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The connection to one server. It belongs to one thread, and opening it blocks that.
///
/// One question is under way at a time. Whatever is wrong with its answer closes the connection: what is left unread of it would be taken
/// for the answer to the next one.
final class ServerConnection {
    let server: ServiceURL.Host
    private let connectTimeout: Duration
    private let replyTimeout: Duration
    private(set) var descriptor: Int32 = -1
    /// Which of the connections this is. Items' numbers hold on the connection by which they came, since they begin anew with the server.
    private(set) var generation: UInt64 = 0
    /// The server has answered on this connection. When such a one breaks, the server may have been started anew since; when
    /// the first use of one fails, it is down.
    private(set) var isProven = false

    private var received = ReceiveBuffer()
    private var outgoing: [UInt8] = []
    private var sent = 0
    private var deadline = Instant.distantFuture
    /// What has moved, in both directions, since the deadline was set.
    private var moved = 0

    /// A server has to send or take so many bytes within a reply time-out, or to be done: one that drips byte after byte is
    /// as good as silent, and would hold up everybody.
    private static let leastProgress = 65_536

    init(_ server: ServiceURL.Host, _ configuration: MemcachedConfiguration) {
        self.server = server
        self.connectTimeout = configuration.connectTimeout
        self.replyTimeout = configuration.replyTimeout
    }

    deinit {
        self.close()
    }

    var isOpen: Bool { self.descriptor >= 0 }

    func close() {
        guard self.isOpen else { return }
        _ = systemClose(self.descriptor)
        self.descriptor = -1
        self.isProven = false
        self.outgoing = []
        self.received.clear()
    }

    // MARK: Questions

    /// Makes sure that there is a connection that is in step. One that the server has ended meanwhile, or on which it has
    /// spoken unasked, is replaced: nothing has been sent on it that could be lost.
    func prepare() throws(ServerFailure) {
        if self.isInStep { return }
        self.close()
        try self.open()
    }

    /// Whether there is a connection on which the server is silent, as it has to be while nobody asks.
    var isInStep: Bool { self.isOpen && self.received.bytes.isEmpty && SocketCalls.isSilent(self.descriptor) }

    /// Begins a question, on a prepared connection.
    func ask(_ bytes: [UInt8]) throws(ServerFailure) {
        self.outgoing = bytes
        self.sent = 0
        self.renewDeadline()
        try self.send()
    }

    /// What the thread waits for, and until when.
    var wish: pollfd {
        pollfd(fd: self.descriptor, events: Int16(self.outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT), revents: 0)
    }
    var waitEnd: Instant { self.deadline }

    /// Goes on when the descriptor is ready: sends, receives, and lets `take` look at what is there. It says whether the answer is complete,
    /// and how many bytes it has taken.
    ///
    /// Whether it is complete now.
    func proceed(
        _ take: (UnsafeRawBufferPointer) throws(ReplyFault) -> (isComplete: Bool, taken: Int)
    ) throws(ServerFailure) -> Bool {
        if !self.outgoing.isEmpty { try self.send() }
        while true {
            var failure: ServerFailure?
            let count = self.received.fill { room in
                switch SocketCalls.receive(self.descriptor, into: room) {
                case .done(0):
                    failure = .ended
                    return 0
                case .done(let count): return count
                case .later: return 0
                case .failed(let number):
                    failure = Self.failure(number)
                    return 0
                }
            }
            if let failure { throw failure }
            guard count > 0 else { return false }
            self.note(progress: count)
            do {
                let (isComplete, taken) = try take(self.received.bytes)
                self.received.drop(taken)
                if isComplete {
                    // An answer before the question was out is none, whatever it says.
                    guard self.outgoing.isEmpty else { throw ServerFailure.reply(.foreign) }
                    self.isProven = true
                    self.received.clear()
                    return true
                }
            } catch let fault as ReplyFault {
                throw .reply(fault)
            } catch {
                throw .reply(.foreign)
            }
        }
    }

    private func send() throws(ServerFailure) {
        while self.sent < self.outgoing.count {
            let outcome = self.outgoing.withUnsafeBytes {
                SocketCalls.send(self.descriptor, UnsafeRawBufferPointer(rebasing: $0[self.sent...]))
            }
            switch outcome {
            case .done(let count):
                self.sent += count
                self.note(progress: count)
            case .later: return
            case .failed(let number): throw Self.failure(number)
            }
        }
        self.outgoing = []
    }

    private func note(progress count: Int) {
        self.moved += count
        if self.moved >= Self.leastProgress { self.renewDeadline() }
    }

    private func renewDeadline() {
        self.moved = 0
        self.deadline = TimeSource.system.now().advanced(by: self.replyTimeout)
    }

    private static func failure(_ number: Int32) -> ServerFailure {
        switch number {
        case EPIPE, ECONNRESET: .ended
        case ETIMEDOUT: .timeout
        default: .system(number)
        }
    }

    // MARK: Opening

    /// Connects to the first address of the server that accepts.
    private func open() throws(ServerFailure) {
        var hints = addrinfo()
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(self.server.name, String(self.server.port ?? 11211), &hints, &found) == 0, let first = found else {
            throw .noAddress
        }
        defer { freeaddrinfo(first) }
        var failure = ServerFailure.noAddress
        var address: UnsafeMutablePointer<addrinfo>? = first
        while let current = address {
            do throws(ServerFailure) {
                self.descriptor = try self.connect(current)
                self.generation &+= 1
                return
            } catch {
                failure = error
            }
            address = current.pointee.ai_next
        }
        throw failure
    }

    private func connect(_ address: UnsafePointer<addrinfo>) throws(ServerFailure) -> Int32 {
        guard let descriptor = SocketCalls.make(address.pointee.ai_family) else { throw .system(errno) }
        let begun = SocketCalls.connect(descriptor, address)
        var outcome: ServerFailure? = begun == 0 ? nil : .system(begun)
        if begun == 0 {
            let end = TimeSource.system.now().advanced(by: self.connectTimeout)
            var wish = [pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)]
            while outcome == nil, wish[0].revents == 0 {
                let left = TimeSource.system.now().duration(to: end)
                guard left > .zero else {
                    outcome = .timeout
                    break
                }
                SocketCalls.wait(&wish, milliseconds: Int32(clamping: left.wholeMillisecondsRoundedUp))
            }
            if outcome == nil {
                let number = SocketCalls.error(of: descriptor)
                if number != 0 { outcome = .system(number) }
            }
        }
        guard let outcome else { return descriptor }
        _ = systemClose(descriptor)
        throw outcome
    }
}

private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
