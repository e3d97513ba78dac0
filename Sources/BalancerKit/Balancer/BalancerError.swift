/// What the balancer itself has to report: a configuration that cannot work, or a group with nobody to call.
///
/// An error of the call goes through unchanged; it is never wrapped in this one.
public struct BalancerError: Error, Equatable {
    /// What kind of error it is. More may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String, Sendable { case noLiveEndpoint, invalidEndpoint, invalidConfiguration }

        private let base: Base

        private init(_ base: Base) {
            self.base = base
        }

        /// No endpoint could be picked; ``BalancerError/unavailable`` says why for each.
        public static let noLiveEndpoint = Code(.noLiveEndpoint)
        /// An endpoint's address or one of its settings cannot be used.
        public static let invalidEndpoint = Code(.invalidEndpoint)
        /// The group, a limit or the balancer's own settings cannot be used.
        public static let invalidConfiguration = Code(.invalidConfiguration)

        public var description: String { self.base.rawValue }
    }

    public var code: Code
    /// What is wrong, in a sentence without secrets.
    public var message: String
    /// The balancer, endpoint or setting that it is about.
    public var place: String?
    /// For ``Code/noLiveEndpoint``: every endpoint of the group, and why it was not picked.
    public var unavailable: [UnavailableEndpoint]

    public init(code: Code, message: String, place: String? = nil, unavailable: [UnavailableEndpoint] = []) {
        self.code = code
        self.message = message
        self.place = place
        self.unavailable = unavailable
    }
}

/// An endpoint that could not be picked, and why.
public struct UnavailableEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// Why an endpoint could not be picked.
    public enum Reason: Hashable, Sendable {
        /// Its operator marked it down.
        case down
        /// It failed as often as its `maxFails` allows and rests for its `failTimeout`.
        case resting
        /// It has as many calls in flight as its `maxConnections` allows.
        case atConnectionLimit
        /// This call has already tried it.
        case tried
    }

    public var address: Endpoint.Address
    public var reason: Reason

    public init(address: Endpoint.Address, reason: Reason) {
        self.address = address
        self.reason = reason
    }

    public var description: String { "\(self.address): \(self.reason)" }
}

extension BalancerError: CustomStringConvertible {
    public var description: String {
        var text = "\(self.code): \(self.message)"
        if let place { text += " (\(place))" }
        if !self.unavailable.isEmpty { text += " [\(self.unavailable.map(\.description).joined(separator: ", "))]" }
        return text
    }
}

extension BalancerError {
    static func invalidEndpoint(_ address: Endpoint.Address, _ message: String) -> BalancerError {
        .invalidEndpoint(address.description, message)
    }

    static func invalidEndpoint(_ text: some StringProtocol, _ message: String) -> BalancerError {
        BalancerError(code: .invalidEndpoint, message: message, place: Self.shown(text))
    }

    static func invalidConfiguration(_ place: String, _ message: String) -> BalancerError {
        BalancerError(code: .invalidConfiguration, message: message, place: place)
    }

    /// The text as far as it may be shown: whoever pastes a URL with credentials where an address belongs must not find them in a log.
    private static func shown(_ text: some StringProtocol) -> String? {
        let isShort = text.utf8.count <= 300
        let isPlain = text.hasPrefix("unix:") || text.utf8.allSatisfy(Self.isAddressByte)
        return isShort && isPlain && !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) ? String(text) : nil
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: ".-_:[]%".utf8.contains(byte)
        }
    }
}
