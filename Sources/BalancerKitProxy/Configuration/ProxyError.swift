/// Why a proxy could not be made or started.
public struct ProxyError: Error, Equatable {
    /// What kind of error it is. More may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String, Sendable {
            case invalidConfiguration, invalidCertificate, unwritableLog, addressInUse, cannotBind, stopped
        }

        private let base: Base

        private init(_ base: Base) {
            self.base = base
        }

        /// A value of the configuration cannot work; the place names it.
        public static let invalidConfiguration = Code(.invalidConfiguration)
        /// A certificate or its key cannot be used; the place is the file.
        public static let invalidCertificate = Code(.invalidCertificate)
        /// A file of the access log cannot be opened; the place is the file.
        public static let unwritableLog = Code(.unwritableLog)
        /// Somebody else listens on the address.
        public static let addressInUse = Code(.addressInUse)
        /// The address cannot be bound: it is not of this machine, or the port is privileged.
        public static let cannotBind = Code(.cannotBind)
        /// The proxy ended before it listened, or it was run a second time.
        public static let stopped = Code(.stopped)

        public var description: String { self.base.rawValue }
    }

    public var code: Code
    public var message: String
    /// The setting or address that it is about.
    public var place: String?

    public init(code: Code, message: String, place: String? = nil) {
        self.code = code
        self.message = message
        self.place = place
    }
}

extension ProxyError: CustomStringConvertible {
    public var description: String {
        "\(self.code): \(self.message)" + (self.place.map { " (\($0))" } ?? "")
    }
}

extension ProxyError {
    static func invalid(_ place: String, _ message: String) -> ProxyError {
        ProxyError(code: .invalidConfiguration, message: message, place: place)
    }

    static func certificate(_ message: String, _ file: String) -> ProxyError {
        ProxyError(code: .invalidCertificate, message: message, place: file)
    }
}
