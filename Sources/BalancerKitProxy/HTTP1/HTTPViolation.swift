/// A rule of HTTP/1.1 that a message breaks. Closed: these are all the rules that are enforced, on requests and responses alike.
///
/// The raw value is the sentence for the log; it never holds a byte of the message.
enum HTTPViolation: String, Error, Hashable, Sendable, CaseIterable {
    // Lines
    case bareLineFeed = "a line ends with a bare line feed"
    case controlCharacter = "a line holds a control character"
    case tooManyEmptyLines = "too many empty lines before the request"

    case plainTextForTLS = "plain HTTP came where TLS is spoken"

    // Request line
    case malformedRequestLine = "the request line is malformed"
    case malformedMethod = "the method is not made of A-Z, - and _"
    case malformedVersion = "the protocol version is malformed"
    case unsupportedVersion = "the protocol version is not HTTP/1.x"
    case unsupportedMethod = "the method is not allowed through this proxy"
    case targetTooLong = "the request target is too long"
    case malformedTarget = "the request target is malformed"
    case fragmentInTarget = "the request target holds a fragment"
    case malformedEscape = "the request target holds a malformed percent escape"
    case targetAboveRoot = "the request target leads above the root"

    // Status line
    case malformedStatusLine = "the status line is malformed"
    case unsolicitedUpgrade = "the upstream switches protocols without being asked"

    // Fields
    case missingColon = "a header line has no colon"
    case malformedFieldName = "a header name is not a token"
    case foldedLine = "a header line is folded"
    case headerTooLarge = "the header block is too large"
    case tooManyFields = "there are too many header fields"
    case missingHost = "Host is missing"
    case malformedHost = "Host is malformed"
    case repeatedHost = "Host is repeated"
    case repeatedAuthorization = "Authorization is repeated"

    // Framing
    case repeatedContentLength = "Content-Length is repeated"
    case malformedContentLength = "Content-Length is not a number"
    case repeatedTransferEncoding = "Transfer-Encoding is repeated"
    case conflictingFraming = "Content-Length and Transfer-Encoding stand together"
    case transferEncodingInHTTP10 = "Transfer-Encoding stands in an HTTP/1.0 message"
    case unsupportedTransferEncoding = "the transfer coding is not exactly chunked"

    // Bodies
    case malformedChunkSize = "a chunk size is malformed"
    case malformedChunkExtension = "a chunk extension is malformed"
    case malformedChunkEnd = "chunk data does not end with CRLF"
    case chunkExtensionsTooLarge = "the chunk extensions are too large"
    case trailersTooLarge = "the trailer section is too large"
    case forbiddenTrailer = "a trailer sets a field that trailers must not set"
    case bodyTooLarge = "the body is too large"

    /// The status with which a request that breaks the rule is answered. In a response every violation is a 502.
    var requestStatus: Int {
        switch self {
        case .targetTooLong: 414
        case .headerTooLarge, .tooManyFields, .trailersTooLarge, .chunkExtensionsTooLarge: 431
        case .unsupportedVersion: 505
        case .unsupportedMethod: 405
        case .unsupportedTransferEncoding: 501
        case .bodyTooLarge: 413
        case .plainTextForTLS, .bareLineFeed, .controlCharacter, .tooManyEmptyLines, .malformedRequestLine, .malformedMethod,
            .malformedVersion,
            .malformedTarget, .fragmentInTarget, .malformedEscape, .targetAboveRoot, .malformedStatusLine, .unsolicitedUpgrade,
            .missingColon, .malformedFieldName, .foldedLine, .missingHost, .malformedHost, .repeatedHost, .repeatedAuthorization,
            .repeatedContentLength, .malformedContentLength, .repeatedTransferEncoding, .conflictingFraming, .transferEncodingInHTTP10,
            .malformedChunkSize, .malformedChunkExtension, .malformedChunkEnd, .forbiddenTrailer:
            400
        }
    }
}
