/// What can go wrong with a session. Never holds an id, a payload or a part of one.
public struct SessionError: Error, Sendable {
    /// The kind of a ``SessionError``. New kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case conflict, ended, noSession, storageUnavailable, storageFull, payloadTooLarge, payloadNotEncodable
            case configuration, notInstalled, alreadyAnswered, cancelled
        }

        private let kind: Kind

        /// Somebody else saved the session in between, and merging was not asked for or did not succeed within its attempts.
        public static let conflict = Code(kind: .conflict)
        /// The session is over: logged out, expired, or carried on under a new id. Nothing was written.
        public static let ended = Code(kind: .ended)
        /// There is no session, and the call needs one.
        public static let noSession = Code(kind: .noSession)
        /// The storage did not answer. Whether a write took effect is not known; a session that was over stays over.
        public static let storageUnavailable = Code(kind: .storageUnavailable)
        /// The storage has no room for another session.
        public static let storageFull = Code(kind: .storageFull)
        /// The encoded payload is over the limit that the message names. Nothing was written.
        public static let payloadTooLarge = Code(kind: .payloadTooLarge)
        /// The payload's own encoding failed. Nothing was written.
        public static let payloadNotEncodable = Code(kind: .payloadNotEncodable)
        /// A setting cannot be used; the message names it.
        public static let configuration = Code(kind: .configuration)
        /// The request did not pass through the session middleware.
        public static let notInstalled = Code(kind: .notInstalled)
        /// The session was changed after the head of the answer was decided, as from inside a streamed body.
        public static let alreadyAnswered = Code(kind: .alreadyAnswered)
        /// The task was cancelled. Whether a write took effect is not known.
        public static let cancelled = Code(kind: .cancelled)

        public var description: String { self.kind.rawValue }
    }

    public var code: Code
    /// What happened, in a sentence for the log.
    public var message: String
    /// Where: the storage's address, when there is one.
    public var place: String?

    public init(code: Code, message: String, place: String? = nil) {
        self.code = code
        self.message = message
        self.place = place
    }
}

extension SessionError: CustomStringConvertible {
    public var description: String {
        "SessionError.\(self.code): \(self.message)\(self.place.map { " (\($0))" } ?? "")"
    }
}

extension SessionError {
    static let ended = SessionError(
        code: .ended, message: "the session is over: it was logged out, has expired, or goes on under a new id")
    static let noSession = SessionError(code: .noSession, message: "there is no session")
    static let conflict = SessionError(code: .conflict, message: "the session was saved by somebody else in the meantime")
}
