import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A server on a loopback port that answers each line as its script says, and remembers the lines.
///
/// It ends with `stop()`. Each connection has a thread; a pool of the store under test opens few.
final class ScriptedServer: Sendable {
    /// What becomes of a line.
    enum Reply: Sendable {
        case bytes(String)
        /// These bytes, and then the connection is closed.
        case last(String)
        /// The same, of any bytes.
        case lastBytes([UInt8])
        /// Nothing, and the connection stays open.
        case silence
    }

    let port: Int
    private let listener: Int32
    private let seen = Mutex<[String]>([])
    private let accepted = Mutex(0)
    private let script: @Sendable (_ line: String, _ number: Int) -> Reply

    var url: String { "memcached://127.0.0.1:\(self.port)" }

    /// How many connections there were.
    var connections: Int { self.accepted.withLock { $0 } }

    /// All lines so far, of all connections.
    var lines: [String] { self.seen.withLock { $0 } }

    /// - Parameter script: the answer to a line without its end; lines are numbered from 0 over all connections.
    init(_ script: @escaping @Sendable (_ line: String, _ number: Int) -> Reply) throws {
        self.script = script
        #if canImport(Glibc)
        self.listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        self.listener = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(listener, raw, length) == 0 && getsockname(listener, raw, &length) == 0 && listen(listener, 64) == 0
            }
        }
        guard isListening else { throw NoPort() }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        Self.onThread { self.acceptAll() }
    }

    struct NoPort: Error {}

    /// No more connections. Those that are open end when their client closes them.
    ///
    /// The descriptor is closed by the thread that accepts: were it closed here, that thread could accept on its number for another
    /// server that has got it meanwhile.
    func stop() {
        #if canImport(Darwin)
        close(self.listener)
        #else
        shutdown(self.listener, Int32(SHUT_RDWR))
        #endif
    }

    private func acceptAll() {
        while true {
            let connection = accept(self.listener, nil, nil)
            guard connection >= 0 else {
                #if !canImport(Darwin)
                close(self.listener)
                #endif
                return
            }
            self.accepted.withLock { $0 += 1 }
            Self.onThread { self.serve(connection) }
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end].filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
                pending.removeSubrange(...end)
                if line == "quit" { return }
                let number = self.seen.withLock { lines in
                    lines.append(line)
                    return lines.count - 1
                }
                switch self.script(line, number) {
                case .bytes(let text): Self.send(Array(text.utf8), connection)
                case .last(let text):
                    Self.send(Array(text.utf8), connection)
                    return
                case .lastBytes(let bytes):
                    Self.send(bytes, connection)
                    return
                case .silence: break
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            pending += buffer[..<count]
        }
    }

    private static func send(_ bytes: [UInt8], _ connection: Int32) {
        #if canImport(Darwin)
        _ = Darwin.send(connection, bytes, bytes.count, 0)
        #elseif canImport(Glibc)
        _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        #else
        _ = Musl.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        #endif
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private static func onThread(_ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(run)).toOpaque()
        #if canImport(Darwin)
        var thread: pthread_t?
        pthread_create(
            &thread, nil,
            {
                Unmanaged<Body>.fromOpaque($0).takeRetainedValue().run()
                return nil
            }, body)
        if let thread { pthread_detach(thread) }
        #else
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, body)
        pthread_detach(thread)
        #endif
    }
}
