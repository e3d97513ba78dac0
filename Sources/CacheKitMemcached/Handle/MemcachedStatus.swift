import CScaleMemcached
import CacheKit

extension memcached_return_t {
    /// The whole answer was read and the connection is in step: the item, or that it is not there, exists, or was not stored.
    var leavesConnectionUsable: Bool {
        switch self {
        case MEMCACHED_SUCCESS, MEMCACHED_STORED, MEMCACHED_DELETED, MEMCACHED_END, MEMCACHED_NOTFOUND, MEMCACHED_NOTSTORED,
            MEMCACHED_DATA_EXISTS:
            true
        default:
            false
        }
    }

    /// Nothing came in time. Asking again at once would take as long.
    var isTimeout: Bool { self == MEMCACHED_TIMEOUT || self == MEMCACHED_IN_PROGRESS }

    /// libmemcached's own words; none of them is of a key or value.
    var text: String {
        memcached_strerror(nil, self).map { String(cString: $0) } ?? "error \(self.rawValue)"
    }
}

extension CacheError {
    static func memcached(_ status: memcached_return_t, at server: String) -> CacheError {
        CacheError(code: .storeUnavailable, message: "Memcached at \(server): \(status.text)")
    }

    static func memcachedRests(_ server: String) -> CacheError {
        CacheError(code: .storeUnavailable, message: "Memcached at \(server) has just failed and is left alone for a moment")
    }

    static let memcachedIsShutDown = CacheError(code: .storeUnavailable, message: "the Memcached store has been shut down")

    static func memcachedContention(key: String?) -> CacheError {
        CacheError(code: .storeUnavailable, message: "others write to this key at Memcached all the time", key: key)
    }

    static func memcachedIsFull(key: String?) -> CacheError {
        CacheError(code: .storeUnavailable, message: "Memcached has no memory for this entry", key: key)
    }
}
