import CacheKit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What became of a question to a server instead of an answer. The connection is closed then.
enum ServerFailure: Error, Hashable, Sendable {
    /// Its name has no address.
    case noAddress
    /// Nothing came in time, or no connection. Asking again at once would take as long.
    case timeout
    /// The server has ended the connection.
    case ended
    /// A call of the system failed, with this number.
    case system(Int32)
    case reply(ReplyFault)

    /// None of these words is of a key, a value or what the server sent.
    var text: String {
        switch self {
        case .noAddress: "the name has no address"
        case .timeout: "no answer in time"
        case .ended: "the connection has ended"
        case .system(let number): strerror(number).map { String(cString: $0) } ?? "error \(number)"
        case .reply(.foreign): "an answer to something else, or none of the protocol"
        case .reply(.refused): "the server refused the command"
        case .reply(.tooLarge): "the server refused the entry as too large"
        case .reply(.outOfMemory): "the server has no memory for the entry"
        }
    }
}

extension CacheError {
    static func memcached(_ failure: ServerFailure, at server: String) -> CacheError {
        CacheError(code: .storeUnavailable, message: "Memcached at \(server): \(failure.text)")
    }

    static func memcachedRests(_ server: String) -> CacheError {
        CacheError(code: .storeUnavailable, message: "Memcached at \(server) has just failed and is left alone for a moment")
    }

    /// The server's limit is below the one that is configured here. What it is, it does not say.
    static func memcachedTookLess(size: Int, limit: Int, key: String?) -> CacheError {
        CacheError(
            code: .valueTooLarge,
            message: "the value takes \(size) bytes, and Memcached refused it; by maximumItemSize the limit would be \(limit) bytes",
            key: key,
            limit: limit, size: size)
    }

    static let memcachedIsShutDown = CacheError(code: .storeUnavailable, message: "the Memcached store has been shut down")

    static func memcachedContention(key: String?) -> CacheError {
        CacheError(code: .storeUnavailable, message: "others write to this key at Memcached all the time", key: key)
    }

    static func memcachedIsFull(key: String?) -> CacheError {
        CacheError(code: .storeUnavailable, message: "Memcached has no memory for this entry", key: key)
    }
}
