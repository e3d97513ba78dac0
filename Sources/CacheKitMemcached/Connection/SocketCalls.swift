#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The system's calls on sockets that never block, the same under all three C libraries.
enum SocketCalls {
    /// What a call did that may have had to wait.
    enum Outcome {
        case done(Int)
        /// Not now.
        case later
        case failed(Int32)
    }

    static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Outcome {
        #if canImport(Darwin)
        self.outcome { Darwin.send(descriptor, bytes.baseAddress, bytes.count, 0) }
        #elseif canImport(Glibc)
        self.outcome { Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
        #else
        self.outcome { Musl.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
        #endif
    }

    static func receive(_ descriptor: Int32, into room: UnsafeMutableRawBufferPointer) -> Outcome {
        self.outcome { recv(descriptor, room.baseAddress, room.count, 0) }
    }

    /// Whether the other side is silent, as it has to be while nobody asks: nothing to read, and the connection open.
    static func isSilent(_ descriptor: Int32) -> Bool {
        var byte: UInt8 = 0
        if case .later = self.outcome({ recv(descriptor, &byte, 1, Int32(MSG_PEEK)) }) { return true }
        return false
    }

    private static func outcome(_ call: () -> Int) -> Outcome {
        while true {
            let result = call()
            if result >= 0 { return .done(result) }
            switch errno {
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK: return .later
            case let number: return .failed(number)
            }
        }
    }

    /// Waits until one of the descriptors is ready or has failed, or the deadline is over.
    static func wait(_ descriptors: inout [pollfd], milliseconds: Int32) {
        for index in descriptors.indices { descriptors[index].revents = 0 }
        // A signal ends the wait like a deadline: whoever waits looks at the time himself.
        _ = poll(&descriptors, nfds_t(descriptors.count), milliseconds)
    }

    /// A socket that does not block, is not inherited, sends without delay and raises no signal.
    static func make(_ family: Int32) -> Int32? {
        #if canImport(Glibc)
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(family, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        #if canImport(Darwin)
        setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &one, socklen_t(MemoryLayout<Int32>.size))
        #endif
        return descriptor
    }

    /// Begins to connect; 0, or what failed. The end of it is told by `poll` and ``error(of:)``.
    static func connect(_ descriptor: Int32, _ address: UnsafePointer<addrinfo>) -> Int32 {
        #if canImport(Darwin)
        let result = Darwin.connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen)
        #elseif canImport(Glibc)
        let result = Glibc.connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen)
        #else
        let result = Musl.connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen)
        #endif
        guard result != 0 else { return 0 }
        return errno == EINPROGRESS || errno == EINTR ? 0 : errno
    }

    static func error(of descriptor: Int32) -> Int32 {
        var number: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length) == 0 else { return errno }
        return number
    }
}
