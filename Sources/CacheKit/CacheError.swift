/// What went wrong in a cache, and at which key.
///
/// Errors of a caller's own loader are passed on as they are. An error names keys and tags, never a value.
public struct CacheError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure. Open: later versions add codes.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String {
            case encodingFailed, invalidTag, missingCounter, counterOverflow, notConfirmed, recursiveLoad, storeUnavailable, unsupported,
                valueTooLarge
            case wrongKind
        }

        private let base: Base

        private init(_ base: Base) { self.base = base }

        /// The value could not be encoded by its codec.
        public static let encodingFailed = Code(.encodingFailed)
        /// A tag is empty or longer than 65,535 bytes, or there are more than 254 of them.
        public static let invalidTag = Code(.invalidTag)
        /// A counter was incremented that does not exist, and no initial value was given.
        public static let missingCounter = Code(.missingCounter)
        /// An increment would leave the range of 64-bit integers; the counter keeps its value.
        public static let counterOverflow = Code(.counterOverflow)
        /// An invalidation could not be confirmed in time. It stays journaled and is repeated until it is delivered.
        public static let notConfirmed = Code(.notConfirmed)
        /// A loader asked for the very key that it is loading, and would wait for itself.
        public static let recursiveLoad = Code(.recursiveLoad)
        /// The store did not answer or refused.
        public static let storeUnavailable = Code(.storeUnavailable)
        /// The store lacks the capability.
        public static let unsupported = Code(.unsupported)
        /// The encoded value is larger than the store takes; see ``CacheError/limit`` and ``CacheError/size``.
        public static let valueTooLarge = Code(.valueTooLarge)
        /// A counter was read as a value, or a value was used as a counter.
        public static let wrongKind = Code(.wrongKind)

        public var description: String { self.base.rawValue }
    }

    public var code: Code
    /// A sentence for people.
    public var message: String
    /// The key concerned, without its namespace.
    public var key: String?
    /// The store's limit in bytes, for ``Code/valueTooLarge``.
    public var limit: Int?
    /// The offending size in bytes, for ``Code/valueTooLarge``.
    public var size: Int?

    public init(code: Code, message: String, key: String? = nil, limit: Int? = nil, size: Int? = nil) {
        self.code = code
        self.message = message
        self.key = key
        self.limit = limit
        self.size = size
    }

    public var description: String {
        let place = self.key.map { " (key \($0.debugDescription))" } ?? ""
        return "\(self.code): \(self.message)\(place)"
    }
}

extension CacheError {
    /// The error for a value of `size` bytes at a store that takes `limit`.
    public static func valueTooLarge(size: Int, limit: Int, key: String?) -> CacheError {
        CacheError(
            code: .valueTooLarge, message: "the value takes \(size) bytes, the store's limit is \(limit) bytes", key: key,
            limit: limit, size: size)
    }

    static func recursiveLoad(key: String) -> CacheError {
        CacheError(code: .recursiveLoad, message: "the loader asks for the key that it is loading", key: key)
    }

    static func counterReadAsValue(key: String) -> CacheError {
        CacheError(code: .wrongKind, message: "a counter is stored here, not a value", key: key)
    }

    /// The error for a counter verb at a key that holds a value.
    public static func valueUsedAsCounter(key: String) -> CacheError {
        CacheError(code: .wrongKind, message: "a value is stored here, not a counter", key: key)
    }

    /// Whatever a store threw, as a `CacheError`.
    static func from(_ error: any Error, key: String?) -> CacheError {
        if let error = error as? CacheError { return error }
        return CacheError(code: .storeUnavailable, message: "the store failed: \(type(of: error))", key: key)
    }
}
