/// Why a text is no ``ServiceURL``. It names the part that is wrong and repeats nothing of the text, which may hold a password
/// in an unexpected place.
public struct ServiceURLError: Error, Hashable, Sendable {
    /// What is wrong, to decide by.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case missingScheme, unknownScheme, missingHost, unexpectedHost, tooManyHosts, invalidHost, invalidPort
            case invalidCharacter, invalidPercentEncoding, missingPath, unexpectedPath, unexpectedFragment
            case unknownOption, repeatedOption
        }

        private let value: Value

        /// No `scheme:` at the beginning.
        public static let missingScheme = Code(value: .missingScheme)
        /// None of the schemes that the caller speaks.
        public static let unknownScheme = Code(value: .unknownScheme)
        /// A host is empty, or there is no `//` before it.
        public static let missingHost = Code(value: .missingHost)
        /// The scheme has no hosts.
        public static let unexpectedHost = Code(value: .unexpectedHost)
        /// The scheme has one host only.
        public static let tooManyHosts = Code(value: .tooManyHosts)
        /// Neither a DNS name nor an address.
        public static let invalidHost = Code(value: .invalidHost)
        /// Not a number from 1 to 65535.
        public static let invalidPort = Code(value: .invalidPort)
        /// A character that must be percent-encoded there, or that may not occur at all.
        public static let invalidCharacter = Code(value: .invalidCharacter)
        /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
        public static let invalidPercentEncoding = Code(value: .invalidPercentEncoding)
        /// The scheme needs a path.
        public static let missingPath = Code(value: .missingPath)
        /// The scheme has no path.
        public static let unexpectedPath = Code(value: .unexpectedPath)
        /// A `#` in the text.
        public static let unexpectedFragment = Code(value: .unexpectedFragment)
        /// The query has a name that the scheme does not know.
        public static let unknownOption = Code(value: .unknownOption)
        /// The query has a name twice.
        public static let repeatedOption = Code(value: .repeatedOption)

        public var description: String { self.value.rawValue }
    }

    public let code: Code
    /// A sentence for the person who wrote the URL.
    public let message: String

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
}

extension ServiceURLError: CustomStringConvertible {
    public var description: String { "invalid service URL: \(self.message)" }
}
