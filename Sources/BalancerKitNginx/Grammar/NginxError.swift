/// Why a configuration cannot be read, mapped, rendered or run. Where nginx has words for it, they are nginx's.
public struct NginxError: Error, Equatable {
    /// What kind of error it is. More may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String, Sendable {
            case syntax, unknownDirective, misplacedDirective, invalidArguments, invalidValue, duplicate, unreadable, tooLarge, unsupported
            case notRenderable, rejected, notStarted
        }

        private let base: Base

        private init(_ base: Base) {
            self.base = base
        }

        /// The file breaks the grammar.
        public static let syntax = Code(.syntax)
        /// No module of nginx has this directive.
        public static let unknownDirective = Code(.unknownDirective)
        /// The directive exists, and not in this block.
        public static let misplacedDirective = Code(.misplacedDirective)
        /// Too few or too many arguments, or a block where there is none, or none where there should be one.
        public static let invalidArguments = Code(.invalidArguments)
        /// An argument that the directive does not take.
        public static let invalidValue = Code(.invalidValue)
        /// What may stand there once stands there twice.
        public static let duplicate = Code(.duplicate)
        /// A file could not be read.
        public static let unreadable = Code(.unreadable)
        /// Inclusions go in a circle, too deep, or bring too much.
        public static let tooLarge = Code(.tooLarge)
        /// nginx can do it, and the embedded proxy cannot.
        public static let unsupported = Code(.unsupported)
        /// The embedded proxy can do it, and nginx cannot be told to.
        public static let notRenderable = Code(.notRenderable)
        /// The installed nginx refused a file; the message is its own.
        public static let rejected = Code(.rejected)
        /// The nginx process could not be started, or ended by itself.
        public static let notStarted = Code(.notStarted)

        public var description: String { self.base.rawValue }
    }

    public var code: Code
    public var message: String
    public var place: NginxPlace?

    public init(code: Code, message: String, place: NginxPlace? = nil) {
        self.code = code
        self.message = message
        self.place = place
    }
}

extension NginxError: CustomStringConvertible {
    /// `message in FILE:LINE`, on one line.
    public var description: String {
        (self.message + (self.place.map { " in \($0)" } ?? "")).onOneLine
    }
}

extension String {
    /// The text with control characters written as nginx's files write them.
    var onOneLine: String {
        var text = ""
        for scalar in self.unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: text += "?"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
