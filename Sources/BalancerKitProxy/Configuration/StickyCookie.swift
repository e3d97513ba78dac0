/// Clients stay with the endpoint that served them first: nginx's `sticky cookie`, with a value that is signed and tells nothing.
///
/// The value is a keyed hash (HMAC-SHA-256) of the endpoint's address. Without a secret nobody can make one or find out which address
/// it stands for. A value that is unknown, forged, or names an endpoint that cannot take the request is as good as none: the strategy
/// chooses, and the answer sets the cookie anew.
public struct StickyCookie: Sendable {
    /// When a browser sends the cookie along with requests from other sites.
    public enum SameSite: String, Hashable, Sendable {
        case strict = "Strict"
        case lax = "Lax"
        /// Browsers want ``StickyCookie/isSecure`` with it.
        case none = "None"
    }

    /// How long a browser keeps the cookie.
    public enum Expiry: Hashable, Sendable {
        /// Until it is closed.
        case session
        /// This long after it was set, in whole seconds. The cookie is set when a client is bound, and not with every answer.
        case after(Duration)
        /// For ten years: nginx's `expires=max`.
        case never
    }

    /// The cookie's name, a token.
    public var name: String
    /// Secrets of at least 16 bytes. The first makes new values, all are recognised: put a new one in front, and take the old one away
    /// when its cookies have expired. Without any, the proxy makes one for itself, and bindings end with it; proxies beside one another
    /// need the same.
    public var secrets: [[UInt8]]
    public var expiry = Expiry.session
    public var domain: String?
    public var path: String? = "/"
    public var isHTTPOnly = true
    public var isSecure = false
    public var sameSite: SameSite? = .lax

    public init(name: String, secrets: [[UInt8]] = []) {
        self.name = name
        self.secrets = secrets
    }
}

extension StickyCookie: CustomStringConvertible {
    /// The name alone, so that no secret gets into a log.
    public var description: String { "sticky cookie \(self.name)" }
}

extension StickyCookie: CustomReflectable {
    public var customMirror: Mirror { Mirror(self, children: ["name": self.name]) }
}
